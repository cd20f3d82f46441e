import { bootError } from './boot-error.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** Where an instance finds its files. */
export interface InstancePaths {
  readonly loader: string;
  /** The only directory that the function may read. */
  readonly codeDirectory: string;
  readonly codeUrl: string;
  readonly socket: string;
  /** Deno's own directory: it holds the compiled code of this deployment. */
  readonly denoDirectory: string;
}

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

/** Arguments of `deno` for one instance: every permission that it has is written here. */
export function denoArguments(paths: InstancePaths, spec: DeclaredPermissions): string[] {
  const hosts = checkedHosts(spec.allowedHosts);
  const names = Object.keys(spec.env);
  return [
    'run',
    '--quiet',
    '--no-prompt',
    '--no-remote',
    '--no-npm',
    '--cached-only',
    '--no-config',
    '--no-lock',
    `--v8-flags=--max-old-space-size=${heapMegabytes(spec.limits.memoryBytes)}`,
    // Listening on a Unix socket takes net, read and write on its path, and nothing else does.
    `--allow-net=${[`unix:${paths.socket}`, ...hosts].join(',')}`,
    `--allow-read=${paths.codeDirectory},${paths.socket}`,
    `--allow-write=${paths.socket}`,
    // Credentials of cloud machines are served from link-local addresses; a declared name must not lead there.
    '--deny-net=169.254.0.0/16,[fd00:ec2::254]',
    ...(names.length > 0 ? [`--allow-env=${names.join(',')}`] : []),
    // Undeclared names read as undefined: many npm packages look at NODE_ENV or DEBUG and would fail on a refusal.
    '--ignore-env',
    paths.loader,
    paths.codeUrl,
    paths.socket,
  ];
}

interface DeclaredPermissions {
  readonly env: Readonly<Record<string, string>>;
  readonly allowedHosts: readonly string[];
  readonly limits: { readonly memoryBytes: number };
}

/** The whole environment of the process: what the function declared, and what Deno needs. */
export function denoEnvironment(
  paths: InstancePaths,
  declared: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    ...checkedEnvironment(declared),
    DENO_DIR: paths.denoDirectory,
    DENO_SERVE_ADDRESS: `unix:${paths.socket}`,
    DENO_NO_UPDATE_CHECK: '1',
    // Egress may pass a proxy with a certificate that only the host trusts.
    DENO_TLS_CA_STORE: 'mozilla,system',
    NO_COLOR: '1',
  };
}

function checkedHosts(hosts: readonly string[]): readonly string[] {
  if (hosts.length > limits.allowedHosts)
    throw bootError(`More than ${limits.allowedHosts} hosts are declared.`);
  const wrong = hosts.find((host) => !hostPattern.test(host));
  if (wrong !== undefined) {
    throw bootError(`The declared host ${JSON.stringify(wrong)} is not host, host:port or *.host.`);
  }
  return hosts;
}

function checkedEnvironment(declared: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
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
