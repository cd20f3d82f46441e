import { EventsHttpModule } from '#libs/events';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

/** A function that answers 201 with what it was asked. */
export const echo = `Deno.serve(async (request) => {
  const bytes = new Uint8Array(await request.arrayBuffer());
  return Response.json({
    method: request.method,
    url: new URL(request.url).pathname + new URL(request.url).search,
    bytes: [...bytes.subarray(0, 4)],
    size: bytes.length,
    headers: Object.fromEntries(request.headers),
  }, { status: 201, headers: { 'x-made': 'here' } });
});`;

/** What a client may ask of its call. */
export interface CallJson {
  id: string;
  state: string;
  attempts: number;
  error: string | null;
  response: { status: number; headers: Record<string, string>; body: string; encoding: string } | null;
}

/** A server whose functions are called to be answered later; one is {@link echo}. */
export interface CallsServer extends FunctionsServer {
  callLater(path: string, init?: RequestInit): Promise<Response>;
  /** Calls later, and tells what the answer to that says. */
  accepted(path: string, init?: RequestInit): Promise<{ status: number; id: string; location: string }>;
  /** What became of a call, as an anonymous caller unless `authorization` says otherwise. */
  ask(location: string, authorization?: string): Promise<Response>;
  /** The same of an anonymous call once it has ended. */
  outcome(location: string): Promise<CallJson>;
  personToken(id: string): string;
  deliveriesTo(slug: string): Promise<number>;
}

export async function startCallsServer(): Promise<CallsServer> {
  const server = await startFunctionsServer([WorkerModule, EventsHttpModule]);
  await server.deploy('echo', echo);
  const callLater: CallsServer['callLater'] = (path, init = {}) =>
    server.call(path, { method: 'POST', ...init, headers: { prefer: 'respond-async', ...init.headers } });
  const ask: CallsServer['ask'] = (location, authorization = `Bearer ${server.keys.publishableKey}`) =>
    fetch(server.url + location, { headers: { authorization } });
  return {
    ...server,
    callLater,
    ask,
    async accepted(path, init) {
      const response = await callLater(path, init);
      const { id } = (await response.json()) as { id: string };
      return { status: response.status, id, location: response.headers.get('location')! };
    },
    outcome: (location) =>
      eventually(async () => {
        const call = (await (await ask(location)).json()) as CallJson;
        return (call.state === 'succeeded' || call.state === 'dead') && call;
      }),
    personToken: (id) =>
      `Bearer ${server.project.tokens.signForPerson({ role: 'authenticated', sub: id, plan: 'gold' }, 600)}`,
    async deliveriesTo(slug) {
      const text = 'select from deliveries where function_slug = $1';
      return (await server.platform.database.query(text, [slug])).rowCount;
    },
  };
}

/** What {@link echo} answered to a call. */
export function echoed(call: CallJson) {
  return JSON.parse(call.response!.body) as {
    method: string;
    url: string;
    bytes: number[];
    size: number;
    headers: Record<string, string>;
  };
}
