import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientFromEnvironment, OperatorError } from '#libs/platform';

/** How to talk to a running server as its owner. */
export interface Connection {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

const fileName = 'connection.json';
const probeTimeoutMs = 2_000;

/** Leaves in the data directory how this server is reached, for commands in a second terminal. */
export async function leaveConnection(dataDir: string, connection: Connection): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  await writeFile(join(dataDir, fileName), `${JSON.stringify(connection, undefined, 2)}\n`, { mode: 0o600 });
}

/**
 * The server to talk to: SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY where they are set, else
 * the one of the data directory. Undefined when none is running there.
 */
export async function findServer(dataDir: string): Promise<Connection | undefined> {
  const text = await readFile(join(dataDir, fileName), 'utf8').catch(() => undefined);
  const left = text === undefined ? {} : (JSON.parse(text) as Connection);
  const connection: Partial<Connection> = { ...left, ...clientFromEnvironment() };
  const { url, publishableKey, secretKey } = connection;
  if (!url || !publishableKey || !secretKey) return undefined;
  const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(probeTimeoutMs) }).catch(
    () => undefined,
  );
  return response?.ok ? { url, publishableKey, secretKey } : undefined;
}

/** Calls the management API; `path` follows `/v1/projects/local`. @throws OperatorError with the server's own words. */
export async function manage<T>(connection: Connection, path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(`${connection.url}/v1/projects/local${path}`, {
    ...init,
    headers: { authorization: `Bearer ${connection.secretKey}`, ...init.headers },
  });
  const body = (await response.json().catch(() => ({}))) as T & { message?: string };
  if (!response.ok) throw new OperatorError(body.message ?? `The server answered ${response.status}.`);
  return body;
}
