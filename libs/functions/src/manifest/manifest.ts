import { scheduleNameOf, scheduleProblems, scheduleShape } from '#libs/events';
import { AppError, expected } from '#libs/platform';
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { limits } from '../limits.js';
import { reservedEnvironmentName } from '../runtime/deno-command.js';
import { hostsOfSecrets } from './egress-secrets.js';
import { queueAccesses, withQueues } from './queue-permissions.js';
import { subscription } from './subscription.js';
import {
  byName,
  isOutsideOfPlatform,
  list,
  qualifiedName,
  queueName,
  table,
  tableName,
  wholeNumber,
} from './toml-schema.js';

const verbs = ['select', 'insert', 'update', 'delete'] as const;
const accesses = ['read', 'write'] as const;
const policies = ['per_worker', 'per_request', 'oneshot'] as const;

const hostPattern = /^(?:(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[([0-9a-f:.]+)\])(?::(\d{1,5}))?$/i;

const databaseFunctionName = qualifiedName.refine(isOutsideOfPlatform, {
  error:
    'functions of the platform and of PostgreSQL cannot be named here; call them from a function of your own',
});
const bucketPath = z.string().regex(/^[^/\0]{1,100}(\/[^\0]{1,900})?$/, {
  error: 'expected "bucket" or "bucket/folder"',
});
const secretName = z
  .string()
  .max(limits.secretNameChars)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'expected letters, digits and "_"' })
  .refine((name) => !isPlatformVariable(name), {
    error:
      "names that start with SUPABASE_, SB_, DENO_ or GALLEY_ and those the runtime itself acts on are the platform's",
  });

/** In full: below `*.host` there may be hosts of others. */
const secretHost = z.string().refine((text) => isHost(text) && !text.startsWith('*'), {
  error: 'expected "host" or "host:port" in full, without https://',
});

const schedule = table(scheduleShape).superRefine((input, context) => {
  for (const [key, message] of scheduleProblems(input))
    context.addIssue({ code: 'custom', path: [key], message });
});

const permissions = table({
  tables: byName(tableName, list(z.enum(verbs, { error: `expected ${verbs.join(', ')}` }))).default({}),
  /** `bucket` or `bucket/folder`. */
  buckets: byName(bucketPath, list(z.enum(accesses, { error: `expected ${accesses.join(', ')}` }))).default(
    {},
  ),
  hosts: list(
    z.string().refine(isHost, { error: 'expected "host", "host:port" or "*.host", without https://' }),
  ).default([]),
  secrets: list(secretName).default([]),
  /** By secret, the hosts in requests to which it is put; the function has a placeholder. Port 443 where none is named. */
  egress_secrets: byName(
    secretName,
    list(secretHost).min(1, { error: 'expected at least one host' }),
  ).default({}),
  rpc: list(databaseFunctionName).default([]),
  service_role: z.boolean({ error: 'expected true or false' }).default(false),
  /** `SUPABASE_DB_URL`: a login to PostgreSQL that may do what `tables` and `rpc` say. */
  database_url: z.boolean({ error: 'expected true or false' }).default(false),
  queues: byName(
    queueName,
    list(z.enum(queueAccesses, { error: `expected ${queueAccesses.join(', ')}` })),
  ).default({}),
}).transform(withQueues);

/** A function's manifest, as `[functions.<slug>]` in galley.toml writes it. What is not declared is denied. */
const settings = table({
  verify_jwt: z.boolean({ error: 'expected true or false' }).default(true),
  memory_mb: wholeNumber(limits.memoryMb).default(256),
  /** Wall time of one invocation. */
  timeout_ms: wholeNumber(limits.timeoutMs).default(60_000),
  /** Processor time of one invocation, its background work included; only the wall time bounds it when absent. */
  cpu_ms: wholeNumber(limits.cpuMs).optional(),
  /** How long one WebSocket may stay open: Supabase's wall clock. */
  websocket_timeout_ms: wholeNumber(limits.webSocketTimeoutMs).default(400_000),
  /** Instances in each process that runs functions. */
  max_instances: wholeNumber(limits.instances).default(4),
  /** Of these, those that are kept ready while the deployment answers. */
  min_instances: wholeNumber(limits.minInstances).default(0),
  /** How long an unused instance is kept; `GALLEY_INSTANCE_IDLE_MS` when absent. */
  idle_ms: wholeNumber(limits.idleMs).optional(),
  /** Requests that one instance serves at once. */
  concurrency: wholeNumber(limits.concurrency).default(1),
  /**
   * Whether invocations may meet in an instance: `per_worker` at any time, `per_request` only after the last one's
   * background work has ended, `oneshot` never.
   */
  policy: z.enum(policies, { error: `expected ${policies.join(', ')}` }).default('per_worker'),
  /** Refused where functions do not get it, as all settings are. */
  isolation: z.literal('strong', { error: 'expected "strong", or nothing' }).optional(),
  /** How often an event is delivered before it is a dead letter: 8 tries take a minute or two, as long as a restart may. */
  attempts: wholeNumber(limits.attempts).default(8),
  /** Invocations for events that may begin within any such time, over all workers; a batch is one. */
  rate: table({
    count: wholeNumber(limits.rateCount),
    period_ms: wholeNumber(limits.ratePeriodMs),
  }).optional(),
  /** Type-check before it is deployed. */
  check: z.boolean({ error: 'expected true or false' }).default(true),
  on: list(subscription).default([]),
  schedule: list(schedule)
    .refine((schedules) => new Set(schedules.map(scheduleNameOf)).size === schedules.length, {
      error: 'expected a name of its own for each schedule',
    })
    .default([]),
  permissions: permissions.prefault({}),
});

/** What one setting demands of another. */
const manifestSchema = settings.superRefine((manifest, context) => {
  const { policy, concurrency, min_instances: min, max_instances: max } = manifest;
  const refuse = (key: keyof typeof manifest, message: string) =>
    context.addIssue({ code: 'custom', path: [key], message });
  if (policy !== 'per_worker' && concurrency !== 1)
    refuse('concurrency', `expected 1: with policy "${policy}" an instance runs one invocation at a time`);
  if (min > max) refuse('min_instances', `expected at most max_instances, which is ${max}`);
  const { secrets, egress_secrets: egressSecrets } = manifest.permissions;
  const held = secrets.filter((name) => Object.hasOwn(egressSecrets, name));
  for (const name of held)
    refuse(
      'permissions',
      `${name} is in both secrets and egress_secrets; in secrets the function would hold it`,
    );
  if (hostsOfSecrets(manifest.permissions).length > limits.manifestEntries)
    refuse('permissions', `expected at most ${limits.manifestEntries} hosts in egress_secrets`);
});

export type Manifest = z.infer<typeof manifestSchema>;
export type BucketAccess = (typeof accesses)[number];

/**
 * Reads the manifest of function `slug` and fills in the defaults.
 * @throws AppError `invalid_manifest` (400) naming each wrong key and what was expected there.
 */
export function parseManifest(slug: string, input: unknown): Manifest {
  const parsed = manifestSchema.safeParse(input ?? {}, { error: expected });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${keyOf(`functions.${slug}`, issue.path)}: ${problemOf(issue)}`,
  );
  throw new AppError({ code: 'invalid_manifest', status: 400, message: problems.join('; ') });
}

/** `functions.x` and `['permissions', 'tables', 'public.t', 0]` → `functions.x.permissions.tables."public.t"[0]` */
function keyOf(where: string, path: readonly PropertyKey[]): string {
  const parts = path.map((part) => {
    if (typeof part === 'number') return `[${part}]`;
    return /^[\w-]+$/.test(String(part)) ? `.${String(part)}` : `."${String(part)}"`;
  });
  return where + parts.join('');
}

function problemOf(issue: z.core.$ZodIssue): string {
  // The message about a wrong key is inside: `byName` checks the key as a value of its own.
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => inner.message).join(', ');
  return issue.message;
}

/** What the runtime would refuse must be refused before: a function that it refuses never starts. */
function isHost(text: string): boolean {
  const match = hostPattern.exec(text);
  if (!match) return false;
  const [, address, port] = match;
  return (address === undefined || isIPv6(address)) && (port === undefined || isPort(Number(port)));
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** Names in a function's environment that the platform sets or that would act on the process itself. */
export function isPlatformVariable(name: string): boolean {
  return /^(SUPABASE_|SB_|DENO_|GALLEY_)/i.test(name) || reservedEnvironmentName(name);
}
