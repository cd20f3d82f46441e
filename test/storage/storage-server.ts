import type { SupabaseClient } from '@supabase/supabase-js';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { FileObjectBytes, projectPrefix, StorageModule } from '#libs/storage';
import { startTestServer, type TestServer } from '../support/server.js';

/** A server with storage, on which people own the folder of `avatars` that is named after their id. */
export interface StorageServer extends TestServer {
  /** Above all policies. */
  readonly admin: SupabaseClient;
  readonly bytes: FileObjectBytes;
  person(): Promise<Person>;
  /** Names and payloads of the events not yet relayed, oldest first. */
  events(): Promise<{ name: string; payload: Record<string, unknown>; request_id: string }[]>;
  /** How many versions are stored. */
  versions(): Promise<number>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

export interface Person {
  readonly id: string;
  readonly token: string;
  readonly client: SupabaseClient;
}

/** A migration as people write it for Supabase. */
const migration = `
  insert into storage.buckets (id, name, public) values ('avatars', 'avatars', false), ('site', 'site', true);

  create policy "Own folder: read" on storage.objects for select to authenticated
    using (bucket_id = 'avatars' and (storage.foldername(name))[1] = current_setting('request.jwt.claims')::jsonb ->> 'sub');
  create policy "Own folder: upload" on storage.objects for insert to authenticated
    with check (bucket_id = 'avatars' and (storage.foldername(name))[1] = current_setting('request.jwt.claims')::jsonb ->> 'sub');
  create policy "Own folder: replace" on storage.objects for update to authenticated
    using (bucket_id = 'avatars' and owner_id = current_setting('request.jwt.claims')::jsonb ->> 'sub');
  create policy "Own folder: remove" on storage.objects for delete to authenticated
    using (bucket_id = 'avatars' and owner_id = current_setting('request.jwt.claims')::jsonb ->> 'sub');
`;

export async function startStorage(environment: Record<string, string> = {}): Promise<StorageServer> {
  const server = await startTestServer({ modules: [StorageModule], environment });
  const { project, platform, url, keys } = server;
  await project.database.query(migration);
  const bytes = new FileObjectBytes(join(platform.config.dataDir, 'objects'));
  return {
    ...server,
    bytes,
    admin: server.client(keys.secretKey),
    async person() {
      const id = randomUUID();
      const token = project.tokens.sign({ sub: id, role: 'authenticated' }, 3600);
      return { id, token, client: server.client(token) };
    },
    async events() {
      const { rows } = await project.database.query<{
        name: string;
        payload: Record<string, unknown>;
        request_id: string;
      }>('select name, payload, request_id from galley.outbox order by position');
      return rows;
    },
    async versions() {
      let count = 0;
      for await (const _ of bytes.list(projectPrefix(project.ref))) count += 1;
      return count;
    },
    fetch: (path, init) => fetch(`${url}/storage/v1${path}`, init),
  };
}
