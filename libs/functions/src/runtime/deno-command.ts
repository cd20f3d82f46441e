import { defaultPorts } from '#libs/platform';
import { bootError } from './boot-error.js';
import type { Cell } from './cell.js';
import { runtimeLimits as limits } from './runtime-limits.js';

const hostPattern = /^(?:(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
const environmentNamePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const reserved =
  /^(?:LD_.*|DENO_(?!DEPLOYMENT_ID$).*|GLIBC_TUNABLES|MALLOC_.*|NODE_.*|NPM_CONFIG_.*|RUST_.*|SSL_CERT_.*|(?:HTTPS?|ALL|NO)_PROXY|PATH|HOME|TMPDIR|NO_COLOR|OTEL_.*)$/i;

/**
 * True for names that a function's environment must not hold, because the loader of the operating system or Deno
 * itself would act on them before and around the function: `LD_PRELOAD` loads code, `HTTPS_PROXY` leads past the
 * declared hosts. `DENO_DEPLOYMENT_ID` is allowed, since Supabase sets it, as is `NODE_ENV`.
 */
export function reservedEnvironmentName(name: string): boolean {
  return name !== 'NODE_ENV' && reserved.test(name);
}

/** Arguments that every process begins with. */
const always = [
  'run',
  '--quiet',
  '--no-prompt',
  '--no-remote',
  '--no-npm',
  '--cached-only',
  '--no-config',
  '--no-lock',
  // For the loader alone, which lets go of it before it imports the function.
  '--allow-ffi',
];

/**
 * Arguments of `deno` for a process in `cell`: every permission that it has is written here. In a jail they are the
 * same for every function, since its walls know what each may reach, and so a process may be started before it is known
 * for which function; elsewhere they are those of `declared`.
 * @param forLoader what the loader is told from the start
 */
export function denoArguments(
  cell: Cell,
  declared: DeclaredPermissions | null,
  memoryBytes: number,
  forLoader: readonly string[],
): string[] {
  const { loader, authorities, codeDirectory, socket, nodeSocket, temporary } = cell.paths;
  const writable = [socket, nodeSocket, ...(temporary === null ? [] : [temporary])];
  return [
    ...always,
    `--cert=${authorities}`,
    `--v8-flags=--max-old-space-size=${heapMegabytes(memoryBytes)}`,
    `--allow-read=${[codeDirectory, ...writable].join(',')}`,
    `--allow-write=${writable.join(',')}`,
    ...(declared ? declaredPermissions(cell, declared) : ['--allow-net', '--allow-env']),
    loader,
    ...forLoader,
  ];
}

function declaredPermissions(
  cell: Cell,
  { env, allowedHosts, api, database }: DeclaredPermissions,
): string[] {
  const { socket, nodeSocket } = cell.paths;
  const names = Object.keys(env);
  const own = [`${hostText(api.host)}:${api.port}`, ...(database ? [`127.0.0.1:${database.port}`] : [])];
  return [
    // Listening on a Unix socket takes net, read and write on its path, and nothing else does.
    `--allow-net=${[`unix:${socket}`, `unix:${nodeSocket}`, ...own, ...withPorts(allowedHosts)].join(',')}`,
    // Credentials of cloud machines are served from link-local addresses; a declared name must not lead there.
    '--deny-net=169.254.0.0/16,[fd00:ec2::254]',
    `--allow-env=${['DENO_SERVE_ADDRESS', ...names].join(',')}`,
    // Undeclared names read as undefined: many npm packages look at NODE_ENV or DEBUG and would fail on a refusal.
    '--ignore-env',
  ];
}

/** A host that is declared without a port is one for HTTP, as in a jail. */
function withPorts(hosts: readonly string[]): string[] {
  return hosts.flatMap((host) =>
    /:\d+$/.test(host) ? [host] : defaultPorts.map((port) => `${host}:${port}`),
  );
}

/** As a host stands before a port. */
export function hostText(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

interface DeclaredPermissions {
  readonly env: Readonly<Record<string, string>>;
  readonly allowedHosts: readonly string[];
  readonly api: { readonly host: string; readonly port: number };
  readonly database?: { readonly port: number };
}

/** The environment that the process starts with: what Deno needs, and what the function declared, if that is known. */
export function denoEnvironment(
  cell: Cell,
  declared: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    ...checkedEnvironment(declared),
    DENO_DIR: cell.paths.denoDirectory,
    DENO_SERVE_ADDRESS: `unix:${cell.paths.socket}`,
    DENO_NO_UPDATE_CHECK: '1',
    // Egress may pass a proxy with a certificate that only the host trusts.
    DENO_TLS_CA_STORE: 'mozilla,system',
    NO_COLOR: '1',
  };
}

/** @throws AppError `BOOT_ERROR` (503) */
export function checkHosts(hosts: readonly string[]): void {
  if (hosts.length > limits.allowedHosts)
    throw bootError(`More than ${limits.allowedHosts} hosts are declared.`);
  const wrong = hosts.find((host) => !hostPattern.test(host));
  if (wrong !== undefined) {
    throw bootError(`The declared host ${JSON.stringify(wrong)} is not host, host:port or *.host.`);
  }
}

export function checkedEnvironment(
  declared: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(declared);
  if (entries.length > limits.environmentNames) {
    throw bootError(`More than ${limits.environmentNames} environment variables are declared.`);
  }
  let size = 0;
  for (const [name, value] of entries) {
    if (!environmentNamePattern.test(name))
      throw bootError(`The environment name ${JSON.stringify(name)} is not valid.`);
    if (reservedEnvironmentName(name)) throw bootError(`The environment name ${name} is reserved.`);
    if (value.includes('\0')) throw bootError(`The environment variable ${name} holds a zero byte.`);
    size += name.length + Buffer.byteLength(value) + 2;
  }
  if (size > limits.environmentBytes) {
    throw bootError(`The environment is larger than ${limits.environmentBytes} bytes.`);
  }
  return declared;
}

/** V8's old generation gets what the limit leaves beside code, stacks and buffers, so that it fails before the process is killed. */
function heapMegabytes(memoryBytes: number): number {
  return Math.max(16, Math.floor(memoryBytes / 1024 / 1024) - 24);
}
