import type { Session, SupabaseClient } from '@supabase/supabase-js';
import { randomUUID } from 'node:crypto';
import type { TestServer } from '../support/server.js';

export const password = 'correct horse';

/** Someone with an account of their own, signed in with `client`. */
export interface Person {
  readonly email: string;
  readonly id: string;
  readonly client: SupabaseClient;
  readonly session: Session;
}

export const newEmail = () => `${randomUUID()}@example.com`;

export async function signUpPerson(server: TestServer): Promise<Person> {
  const email = newEmail();
  const client = server.client();
  const { data, error } = await client.auth.signUp({ email, password });
  if (error) throw error;
  return { email, id: data.user!.id, client, session: data.session! };
}

/** The same person on another device. */
export async function signInAgain(server: TestServer, { email, id }: Person): Promise<Person> {
  const client = server.client();
  const { data, error } = await client.auth.signInWithPassword({ email, password });
  if (error) throw error;
  return { email, id, client, session: data.session };
}

/** A request past the SDK, for what it hides: statuses, headers and raw bodies. */
export async function call(
  server: TestServer,
  method: string,
  path: string,
  options: { token?: string; body?: unknown; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(`${server.url}/auth/v1/${path}`, {
    method,
    headers: {
      apikey: server.keys.publishableKey,
      ...(options.token && { authorization: `Bearer ${options.token}` }),
      ...(options.body !== undefined && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body !== undefined && {
      body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body),
    }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}
