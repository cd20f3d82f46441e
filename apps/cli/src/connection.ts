import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientFromEnvironment, OperatorError } from '#libs/platform';

/** A running server, and who may manage it. */
export interface Management {
  /** Without a trailing slash. */
  readonly url: string;
  /** A personal access token or the secret key. */
  readonly token: string;
}

/** How to talk to a running server as its owner and as its clients do. */
export interface Connection extends Management {
  readonly publishableKey: string;
}

/** What a server leaves in the data directory. */
interface LeftConnection {
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

const fileName = 'connection.json';
const probeTimeoutMs = 2_000;

/** Leaves in the data directory how this server is reached, for commands in a second terminal. */
export async function leaveConnection(dataDir: string, connection: LeftConnection): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  await writeFile(join(dataDir, fileName), `${JSON.stringify(connection, undefined, 2)}\n`, { mode: 0o600 });
}

async function readLeft(dataDir: string): Promise<LeftConnection | undefined> {
  const text = await readFile(join(dataDir, fileName), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as LeftConnection);
}

/**
 * The server to talk to: SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY where they are set, else
 * the one of the data directory. Undefined when none is running there.
 */
export async function findServer(dataDir: string): Promise<Connection | undefined> {
  const { url, publishableKey, secretKey } = { ...(await readLeft(dataDir)), ...clientFromEnvironment() };
  if (!url || !publishableKey || !secretKey) return undefined;
  const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(probeTimeoutMs) }).catch(
    () => undefined,
  );
  return response?.ok ? { url, publishableKey, token: secretKey } : undefined;
}

/**
 * The server to manage: what the command line names, else GALLEY_URL and GALLEY_ACCESS_TOKEN, else the one of the data
 * directory, whose key is sent to no other.
 * @throws OperatorError that says what is missing
 */
export async function findManagement(
  dataDir: string,
  given: { url?: string | undefined; token?: string | undefined },
): Promise<Management> {
  const environment = clientFromEnvironment();
  const left = await readLeft(dataDir);
  const url = (given.url ?? environment.url ?? left?.url)?.replace(/\/+$/, '');
  if (url === undefined) {
    throw new OperatorError(
      'No server is running. Start one first: npm start. Or name another: --url, GALLEY_URL.',
    );
  }
  if (!URL.canParse(url))
    throw new OperatorError(`${url} is no URL; expected one like http://127.0.0.1:54321.`);
  const ownKey = left?.url === url ? left.secretKey : undefined;
  const token = given.token ?? environment.accessToken ?? environment.secretKey ?? ownKey;
  if (token !== undefined) return { url, token };
  throw new OperatorError(
    `There is no token for ${url}. Set GALLEY_ACCESS_TOKEN; \`galley tokens create <name>\` makes one where the server runs.`,
  );
}

/** Calls the management API of the project; `path` follows `/v1/projects/local`. */
export async function manage<T>(management: Management, path: string, init: RequestInit = {}): Promise<T> {
  return (await (await request(management, `/v1/projects/local${path}`, init)).json()) as T;
}

/** @throws OperatorError with the server's own words, or that there is none */
export async function request(
  management: Management,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const { url, token } = management;
  const headers = { authorization: `Bearer ${token}`, ...init.headers };
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, { ...init, headers });
  } catch (cause) {
    throw new OperatorError(`The server at ${url} does not answer. Is it running? Start one: npm start`, {
      cause,
    });
  }
  if (response.ok) return response;
  throw await refusal(response);
}

/** What a server says that refuses, in its own words. */
export async function refusal(response: Response): Promise<OperatorError> {
  const body = (await response.json().catch(() => ({}))) as { message?: string };
  return new OperatorError(body.message ?? `The server answered ${response.status}.`);
}

/** A JSON body with its method. */
export function jsonBody(method: string, body: unknown): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
