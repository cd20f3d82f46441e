import { totalmem } from 'node:os';
import { resolve } from 'node:path';
import { constrainedMemory } from 'node:process';
import { z } from 'zod';
import { OperatorError } from '../errors/app-error.js';
import { expected } from '../errors/expected.js';
import { problemsInOneLine } from '../errors/parse-input.js';
import { parseTrustedKeys, type TrustedKey } from '../project/trusted-keys.js';

const flag = z.stringbool({ truthy: ['true', '1', 'yes', 'on'], falsy: ['false', '0', 'no', 'off'] });
const port = z.coerce.number().int().min(1).max(65_535);
const count = z.coerce.number().int().min(1);
const urlOf = (protocols: string) => z.url({ protocol: new RegExp(`^(${protocols})$`) });

/**
 * Every setting, by the name of its environment variable. Names that self-hosted Supabase uses are kept.
 * What is not given here is generated at first start and kept, or has the default that stands beside it.
 */
const environmentSchema = z.object({
  /** Port of the front door. */
  PORT: port.default(54_321),
  /** Address to listen on; `0.0.0.0` opens the server to the network. */
  HOST: z.string().min(1).default('127.0.0.1'),
  /** Proxies whose `X-Forwarded-For` is believed: addresses or CIDR ranges, comma-separated. */
  TRUSTED_PROXIES: z.string().min(1).default('127.0.0.0/8,::1'),
  /** Where clients reach the server, when that is not `http://HOST:PORT` (behind a proxy, say). */
  API_EXTERNAL_URL: urlOf('https?').optional(),
  /** Where functions reach the server's front door from a `worker`; by default the server's own address. */
  GALLEY_INTERNAL_URL: urlOf('https?').optional(),
  /** All state of the embedded size. */
  GALLEY_DATA_DIR: z.string().min(1).default('.galley'),
  /** 32 random bytes, base64: seals the secrets in the platform database. Generated into the data directory. */
  GALLEY_MASTER_KEY: z
    .string()
    .regex(/^[A-Za-z0-9+/_-]{43}=?$/, '32 bytes in base64')
    .optional(),
  /** `fatal`, `error`, `warn`, `info`, `debug` or `trace`. */
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  /** Opens `/metrics`, as a bearer token, and nothing else: for what scrapes it, which needs no secret key. */
  GALLEY_METRICS_TOKEN: z.string().min(16).optional(),

  /** PostgreSQL of the outgrown size: a superuser's URL of the project database. Unset: PostgreSQL is started here. */
  DATABASE_URL: urlOf('postgres|postgresql').optional(),
  POSTGRES_HOST: z.string().min(1).optional(),
  POSTGRES_PORT: port.optional(),
  POSTGRES_DB: z.string().min(1).default('postgres'),
  POSTGRES_USER: z.string().min(1).default('postgres'),
  POSTGRES_PASSWORD: z.string().min(1).optional(),
  /** Name of Galley's own database on the same PostgreSQL. */
  GALLEY_PLATFORM_DB: z.string().min(1).default('galley'),
  /** Connections for callers' statements, per process. */
  DB_POOL_SIZE: count.default(10),
  /** How long such a statement waits for a connection. */
  DB_POOL_WAIT_MS: count.default(10_000),

  /** Redis for the queues. Unset: the queues live in PostgreSQL. */
  REDIS_URL: urlOf('rediss?').optional(),

  /** S3 or MinIO for object bytes. Unset: files under the data directory. */
  S3_ENDPOINT: urlOf('https?').optional(),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_BUCKET: z.string().min(3).default('galley'),
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),

  /**
   * HS256 secret of tokens, at least 32 characters. Where it is given people's tokens are signed with it; else with a key
   * pair, whose public half is at `/auth/v1/.well-known/jwks.json`.
   */
  JWT_SECRET: z.string().min(32).optional(),
  /**
   * A JSON Web Key or a set of them: keys of others (an identity provider, say) whose tokens are good here as well, with
   * the role that they name. Whoever signs with one may sign any role.
   */
  JWT_JWKS: z.string().transform(trustedKeys).optional(),
  /** Lifetime of access tokens in seconds. */
  JWT_EXPIRY: z.coerce.number().int().min(60).max(604_800).default(3600),
  ANON_KEY: z.string().min(1).optional(),
  SERVICE_ROLE_KEY: z.string().min(1).optional(),
  SUPABASE_PUBLISHABLE_KEY: z.string().startsWith('sb_publishable_').optional(),
  SUPABASE_SECRET_KEY: z.string().startsWith('sb_secret_').optional(),
  /** Refuse new accounts. */
  DISABLE_SIGNUP: flag.default(false),

  /** At a stop, how long requests and functions under way may go on, in milliseconds. */
  GALLEY_SHUTDOWN_GRACE_MS: z.coerce.number().int().min(0).max(600_000).default(1_200),
  /** Function processes that may run at once in this process, */
  GALLEY_MAX_INSTANCES: count.default(16),
  /** and the memory that they may use, all together. By default three quarters of what there is. */
  GALLEY_FUNCTIONS_MEMORY_MB: count.optional(),
  /** Processes that are held ready for functions that have none, where the host allows namespaces; more after many starts. */
  GALLEY_WARM_PROCESSES: z.coerce.number().int().min(0).max(8).default(1),
  /** Hosts that functions may declare although their addresses are not public: `db.internal:5432,10.0.0.7`. */
  GALLEY_PRIVATE_HOSTS: z
    .string()
    .regex(/^[^\s,]+(\s*,\s*[^\s,]+)*$/)
    .optional(),
  /** Hosts that builds may fetch packages and modules from, beside npm's registry and the usual: `npm.internal:4873`. */
  GALLEY_PACKAGE_HOSTS: z
    .string()
    .regex(/^([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?(\s*,\s*([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?)*$/i)
    .optional(),
  /**
   * How long a function's process is kept after its last invocation, in milliseconds. By default that follows from how
   * long the function usually rests: 10 s to 10 min.
   */
  GALLEY_INSTANCE_IDLE_MS: z.coerce.number().int().min(0).optional(),
  /** Certificates (PEM) of authorities that functions trust beside the usual ones: those of a company, say. */
  GALLEY_EXTRA_CA_FILE: z.string().min(1).optional(),
  /** How many days what functions write is kept. */
  GALLEY_LOG_DAYS: z.coerce.number().int().min(1).max(3_650).default(7),
  /** How many lines of it are kept for each project, the newest. Looked after about once an hour. */
  GALLEY_LOG_LINES: z.coerce.number().int().min(1).max(1_000_000_000).default(1_000_000),
  /** How many days deliveries are kept after their end. */
  GALLEY_DELIVERY_DAYS: z.coerce.number().int().min(1).max(3_650).default(30),
  /** How many days the records of invocations are kept, of which usage is summed up. */
  GALLEY_INVOCATION_DAYS: z.coerce.number().int().min(1).max(3_650).default(400),
});

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Addresses or CIDR ranges of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Where clients reach the server, without a trailing slash. */
  readonly apiUrl: string;
  /** Where functions reach the server, without a trailing slash. */
  readonly internalUrl: string;
  readonly dataDir: string;
  readonly masterKey: string | undefined;
  readonly logLevel: string;
  readonly metricsToken: string | undefined;
  readonly postgres: {
    /** Unset in the embedded size. */
    readonly url: string | undefined;
    readonly platformDatabase: string;
    readonly poolSize: number;
    readonly waitMs: number;
  };
  readonly redisUrl: string | undefined;
  readonly s3:
    | { endpoint: string; region: string; bucket: string; accessKeyId: string; secretAccessKey: string }
    | undefined;
  readonly keys: {
    readonly jwtSecret?: string;
    readonly anonKey?: string;
    readonly serviceRoleKey?: string;
    readonly publishableKey?: string;
    readonly secretKey?: string;
  };
  /** Keys of others, whose tokens are good here as well. */
  readonly trustedKeys: readonly TrustedKey[];
  /** `PGRST_…` of the environment, by name without that and lower-case: the data API's own (`libs/data/src/settings`). */
  readonly rest: Readonly<Record<string, string>>;
  readonly auth: { readonly jwtExpirySeconds: number; readonly disableSignup: boolean };
  readonly functions: {
    readonly maxInstances: number;
    readonly memoryMb: number;
    /** Null: as each function's calls suggest. */
    readonly instanceIdleMs: number | null;
    readonly warmProcesses: number;
    readonly privateHosts: readonly string[];
    readonly extraAuthorityFile: string | undefined;
    readonly packageHosts: readonly string[];
    /** What is kept of the log lines of each project. */
    readonly logRetention: { readonly days: number; readonly lines: number };
    /** How long ended deliveries and records of invocations are kept. */
    readonly deliveryDays: number;
    readonly invocationDays: number;
  };
  readonly shutdownGraceMs: number;
  /** Settings that were given but that this version does not use, each to be warned about at start. */
  readonly unused: readonly string[];
}

/**
 * Reads the settings from `environment`. An empty value counts as not given, as in a `.env` file.
 * @throws OperatorError naming each variable that is wrong, what was expected and what to do.
 */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => !!entry[1]),
  );
  const parsed = environmentSchema.safeParse(given, { error: expected });
  if (!parsed.success) {
    throw new OperatorError(
      `The configuration is wrong. ${problemsInOneLine(parsed.error)}. Mend the environment and start again.`,
    );
  }
  const env = parsed.data;
  const ownUrl = `http://${reachableHost(env.HOST)}:${env.PORT}`;
  return {
    port: env.PORT,
    host: env.HOST,
    trustedProxies: env.TRUSTED_PROXIES.split(',').map((proxy) => proxy.trim()),
    apiUrl: (env.API_EXTERNAL_URL ?? ownUrl).replace(/\/+$/, ''),
    internalUrl: (env.GALLEY_INTERNAL_URL ?? ownUrl).replace(/\/+$/, ''),
    dataDir: resolve(env.GALLEY_DATA_DIR),
    masterKey: env.GALLEY_MASTER_KEY,
    logLevel: env.LOG_LEVEL,
    metricsToken: env.GALLEY_METRICS_TOKEN,
    postgres: {
      url: databaseUrl(env),
      platformDatabase: env.GALLEY_PLATFORM_DB,
      poolSize: env.DB_POOL_SIZE,
      waitMs: env.DB_POOL_WAIT_MS,
    },
    redisUrl: env.REDIS_URL,
    s3: s3Settings(env),
    keys: {
      ...(env.JWT_SECRET && { jwtSecret: env.JWT_SECRET }),
      ...(env.ANON_KEY && { anonKey: env.ANON_KEY }),
      ...(env.SERVICE_ROLE_KEY && { serviceRoleKey: env.SERVICE_ROLE_KEY }),
      ...(env.SUPABASE_PUBLISHABLE_KEY && { publishableKey: env.SUPABASE_PUBLISHABLE_KEY }),
      ...(env.SUPABASE_SECRET_KEY && { secretKey: env.SUPABASE_SECRET_KEY }),
    },
    trustedKeys: env.JWT_JWKS ?? [],
    rest: restSettings(given),
    auth: { jwtExpirySeconds: env.JWT_EXPIRY, disableSignup: env.DISABLE_SIGNUP },
    functions: {
      maxInstances: env.GALLEY_MAX_INSTANCES,
      memoryMb: env.GALLEY_FUNCTIONS_MEMORY_MB ?? Math.floor((hostMemoryBytes() * functionsShare) / 2 ** 20),
      instanceIdleMs: env.GALLEY_INSTANCE_IDLE_MS ?? null,
      warmProcesses: env.GALLEY_WARM_PROCESSES,
      extraAuthorityFile: env.GALLEY_EXTRA_CA_FILE,
      privateHosts: hostsIn(env.GALLEY_PRIVATE_HOSTS),
      packageHosts: hostsIn(env.GALLEY_PACKAGE_HOSTS),
      logRetention: { days: env.GALLEY_LOG_DAYS, lines: env.GALLEY_LOG_LINES },
      deliveryDays: env.GALLEY_DELIVERY_DAYS,
      invocationDays: env.GALLEY_INVOCATION_DAYS,
    },
    shutdownGraceMs: env.GALLEY_SHUTDOWN_GRACE_MS,
    unused: Object.keys(given).filter((name) => isUnused(name, env)),
  };
}

const restPrefix = 'PGRST_';

function restSettings(given: Readonly<Record<string, string>>): Record<string, string> {
  const named = Object.entries(given).filter(([name]) => name.startsWith(restPrefix));
  return Object.fromEntries(
    named.map(([name, value]) => [name.slice(restPrefix.length).toLowerCase(), value]),
  );
}

function trustedKeys(text: string, context: z.RefinementCtx): TrustedKey[] {
  try {
    return parseTrustedKeys(text);
  } catch (error) {
    // What JSON's own error would quote may be a secret.
    const isShape = error instanceof z.ZodError || error instanceof SyntaxError;
    const message = isShape ? 'expected a JSON Web Key or {"keys": […]}' : (error as Error).message;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  }
}

function hostsIn(list: string | undefined): string[] {
  return list?.split(',').map((host) => host.trim()) ?? [];
}

/** What of a host's memory functions get unless told: the rest is PostgreSQL's and ours. */
const functionsShare = 0.75;

/** What a container may use, where that is less than the machine has. */
function hostMemoryBytes(): number {
  const constrained = constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** An address by which this machine reaches a server that listens on `host`. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

type Environment = z.infer<typeof environmentSchema>;

/** Settings of self-hosted Supabase that do nothing here, alone or at all. */
function isUnused(name: string, env: Environment): boolean {
  // No mail is sent yet, and nothing leads back to the web app; accounts are confirmed at once.
  if (name.startsWith('SMTP_') || name === 'SITE_URL') return true;
  if (name.startsWith('POSTGRES_')) return env.DATABASE_URL !== undefined || env.POSTGRES_HOST === undefined;
  return name.startsWith('S3_') && env.S3_ENDPOINT === undefined;
}

function databaseUrl(env: Environment): string | undefined {
  if (env.DATABASE_URL) return env.DATABASE_URL;
  if (!env.POSTGRES_HOST) return undefined;
  if (!env.POSTGRES_PASSWORD) {
    throw new OperatorError(
      'POSTGRES_HOST is set but POSTGRES_PASSWORD is not. Set it, or give DATABASE_URL instead.',
    );
  }
  const url = new URL(`postgresql://${env.POSTGRES_HOST}:${env.POSTGRES_PORT ?? 5432}`);
  url.username = encodeURIComponent(env.POSTGRES_USER);
  url.password = encodeURIComponent(env.POSTGRES_PASSWORD);
  url.pathname = `/${encodeURIComponent(env.POSTGRES_DB)}`;
  return url.href;
}

function s3Settings(env: Environment): Config['s3'] {
  if (!env.S3_ENDPOINT) return undefined;
  if (!env.S3_ACCESS_KEY_ID || !env.S3_SECRET_ACCESS_KEY) {
    throw new OperatorError(
      'S3_ENDPOINT is set but S3_ACCESS_KEY_ID or S3_SECRET_ACCESS_KEY is not. Set both.',
    );
  }
  return {
    endpoint: env.S3_ENDPOINT,
    region: env.S3_REGION,
    bucket: env.S3_BUCKET,
    accessKeyId: env.S3_ACCESS_KEY_ID,
    secretAccessKey: env.S3_SECRET_ACCESS_KEY,
  };
}
