import { DataModule } from '#libs/data';
import { FunctionsHttpModule } from '#libs/functions';
import { UsageHttpModule } from '#libs/usage';
import type { Feature } from '../../apps/server/src/server.js';
import { eventually } from '../support/eventually.js';
import { startTestServer, type TestServer } from '../support/server.js';

/** An answer of the management API. */
interface ManagementAnswer {
  status: number;
  // The tests say what they expect in it.
  body: Record<string, unknown> & unknown[];
}

/** A record of an invocation, as its listing tells it. */
interface Invocation {
  id: string;
  status: string;
  start: string;
  http_status: number | null;
  error: string | null;
  request_id: string;
  wall_ms: number;
  cpu_ms: number;
  gb_ms: number;
  peak_memory_bytes: number;
  boot_ms: number | null;
}

/** A server that runs functions, and its management API as the owner of the project calls it. */
export interface FunctionsServer extends TestServer {
  manage(method: string, path: string, body?: unknown): Promise<ManagementAnswer>;
  /** Deploys one module; `manifest` is what galley.toml would hold. Throws unless that succeeds. */
  deploy(slug: string, source: string, manifest?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** The same, and its answer whatever that is. */
  tryDeploy(slug: string, source: string, manifest?: Record<string, unknown>): Promise<ManagementAnswer>;
  /** Calls a function with the publishable key, as a client without a session does. */
  call(path: string, init?: RequestInit): Promise<Response>;
  /** The records of a function's invocations, the newest first, once there are so many. */
  invocationsOf(slug: string, count: number): Promise<Invocation[]>;
  /** Waits for a line of the function's log that has `text` in it. */
  hasLogged(slug: string, text: string): Promise<void>;
}

export async function startFunctionsServer(
  features: readonly Feature[] = [],
  environment: Record<string, string> = {},
): Promise<FunctionsServer> {
  const server = await startTestServer({
    modules: [FunctionsHttpModule, UsageHttpModule, DataModule, ...features],
    // What functions are to reach in these tests is on this machine.
    environment: { GALLEY_PRIVATE_HOSTS: '127.0.0.1', ...environment },
  });
  const manage = async (method: string, path: string, body?: unknown): Promise<ManagementAnswer> => {
    const isForm = body instanceof FormData;
    const response = await fetch(`${server.url}/v1/projects/local${path}`, {
      method,
      headers: {
        authorization: `Bearer ${server.keys.secretKey}`,
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as ManagementAnswer['body'] };
  };
  const tryDeploy: FunctionsServer['tryDeploy'] = (slug, source, manifest = {}) => {
    const form = new FormData();
    form.append('metadata', JSON.stringify({ name: slug, entrypoint_path: 'index.ts', galley: manifest }));
    form.append('file', new Blob([source]), 'index.ts');
    return manage('POST', `/functions/deploy?slug=${slug}`, form);
  };
  return {
    ...server,
    manage,
    tryDeploy,
    async deploy(slug, source, manifest) {
      const { status, body } = await tryDeploy(slug, source, manifest);
      if (status !== 201) throw new Error(`Deploying ${slug} answered ${status}: ${JSON.stringify(body)}`);
      return body;
    },
    call: (path, init = {}) =>
      fetch(`${server.url}/functions/v1/${path}`, {
        ...init,
        headers: { authorization: `Bearer ${server.keys.publishableKey}`, ...init.headers },
      }),
    invocationsOf: (slug, count) =>
      eventually(async () => {
        const { body } = await manage('GET', `/invocations?function=${slug}`);
        return body.length >= count && (body as unknown as Invocation[]);
      }),
    async hasLogged(slug, text) {
      const path = `/functions/${slug}/logs?text=${encodeURIComponent(text)}`;
      await eventually(async () => (await manage('GET', path)).body.length > 0);
    },
  };
}
