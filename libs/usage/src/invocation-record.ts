import { planOnce, type Sql } from '#libs/platform';

/** One run of a function, measured from outside its sandbox. */
export interface InvocationRecord {
  readonly id: string;
  readonly projectRef: string;
  readonly functionSlug: string;
  readonly deploymentId: string;
  readonly trigger: 'http' | 'event';
  /** The delivery that an event run was for. */
  readonly deliveryId: string | null;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly requestId: string;
  /** Whether an instance had to be started for it. */
  readonly start: 'cold' | 'warm';
  readonly status: 'succeeded' | 'failed';
  /** What the function answered; null when it did not. */
  readonly httpStatus: number | null;
  readonly error: string | null;
  readonly startedAt: Date;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakMemoryBytes: number;
  /** The deployment's memory limit. */
  readonly memoryBytes: number;
  /** From spawn to listening, of the instance that was started for it; null when it was warm. */
  readonly bootMs: number | null;
  /** Of the request's body, as far as the function was given it; of a WebSocket what the client sent. */
  readonly bytesIn: number;
  /** Of the answer's body, as far as the function gave it; of a WebSocket what the function sent. */
  readonly bytesOut: number;
}

/** Memory reserved, times the time it was held; a GB is 2³⁰ bytes, as the clouds count it. */
export function gbMs(record: Pick<InvocationRecord, 'memoryBytes' | 'wallMs'>): number {
  return (record.memoryBytes / 2 ** 30) * record.wallMs;
}

const columns = {
  id: 'uuid',
  project_ref: 'text',
  function_slug: 'text',
  deployment_id: 'uuid',
  trigger: 'text',
  delivery_id: 'uuid',
  attempt: 'integer',
  request_id: 'text',
  start: 'text',
  status: 'text',
  http_status: 'integer',
  error: 'text',
  started_at: 'timestamptz',
  wall_ms: 'double precision',
  cpu_ms: 'double precision',
  peak_memory_bytes: 'bigint',
  memory_bytes: 'bigint',
  gb_ms: 'double precision',
  boot_ms: 'double precision',
  bytes_in: 'bigint',
  bytes_out: 'bigint',
};

/**
 * Workers that end deliveries of one function each write its hour, and hold its row until their commit is on disk. By
 * their connections they take different parts of it.
 */
const parts = 64;

const names = Object.keys(columns).join(', ');
const arrays = Object.values(columns).map((type, i) => `$${i + 1}::${type}[]`);
/** What of invocations may be added up over periods and functions. */
export const invocationSums = [
  'invocations',
  'failed',
  'cold_starts',
  'wall_ms',
  'cpu_ms',
  'gb_ms',
  'whole_gb_ms',
  'bytes_in',
  'bytes_out',
] as const;
const highest = ['longest_wall_ms', 'peak_memory_bytes'];
const addToSums = [
  ...invocationSums.map((name) => `${name} = invocation_hours.${name} + excluded.${name}`),
  ...highest.map((name) => `${name} = greatest(invocation_hours.${name}, excluded.${name})`),
].join(', ');
/** In the order of the key, so that two writers never wait for each other crosswise. */
const insertStatement = `
  with ${planOnce}, written as (
    insert into invocations (${names}) select record.* from planned, unnest(${arrays.join(', ')}) as record
    on conflict do nothing returning *),
  summed as (
    insert into invocation_hours (project_ref, hour, function_slug, part, invocations, failed, cold_starts, wall_ms,
      cpu_ms, gb_ms, whole_gb_ms, bytes_in, bytes_out, longest_wall_ms, peak_memory_bytes)
    select project_ref, date_trunc('hour', started_at, 'UTC'), function_slug, pg_backend_pid() % ${parts}, count(*),
      count(*) filter (where status = 'failed'), count(*) filter (where start = 'cold'), sum(wall_ms),
      sum(cpu_ms), sum(gb_ms), sum(ceil(wall_ms) * memory_bytes / 1073741824.0), sum(bytes_in), sum(bytes_out),
      max(wall_ms), max(peak_memory_bytes)
    from written group by 1, 2, 3, 4 order by 1, 2, 3, 4
    on conflict (project_ref, hour, function_slug, part) do update set
      ${addToSums})
  select id from written`;

/**
 * Writes records, and adds them to the sums of their hours, with one statement. A second success of one delivery is left
 * out: it was delivered twice, and is recorded as succeeded once. Returns the ids that were written.
 */
export async function insertInvocations(sql: Sql, records: readonly InvocationRecord[]): Promise<string[]> {
  if (records.length === 0) return [];
  const rows = records.map(rowOf);
  const { rows: written } = await sql.query<{ id: string }>(
    insertStatement,
    arrays.map((_, column) => rows.map((row) => row[column])),
  );
  return written.map((row) => row.id);
}

/**
 * Joins the parts of hours that began before `before`, to which nobody writes side by side any more. Returns how many
 * rows are gone.
 */
export async function joinHourParts(sql: Sql, projectRef: string, before: Date): Promise<number> {
  const { rows } = await sql.query<{ gone: number }>(
    `with gone as (delete from invocation_hours where project_ref = $2 and hour < $1 and part <> 0 returning *),
     joined as (
       insert into invocation_hours (project_ref, hour, function_slug, part, ${[...invocationSums, ...highest].join(', ')})
       select project_ref, hour, function_slug, 0, ${invocationSums.map((name) => `sum(${name})`).join(', ')},
              ${highest.map((name) => `max(${name})`).join(', ')}
       from gone group by 1, 2, 3 order by 1, 2, 3
       on conflict (project_ref, hour, function_slug, part) do update set ${addToSums})
     select count(*)::integer as gone from gone`,
    [before, projectRef],
  );
  return rows[0]!.gone;
}

function rowOf(record: InvocationRecord): unknown[] {
  return [
    record.id,
    record.projectRef,
    record.functionSlug,
    record.deploymentId,
    record.trigger,
    record.deliveryId,
    record.attempt,
    record.requestId,
    record.start,
    record.status,
    record.httpStatus,
    record.error,
    record.startedAt,
    record.wallMs,
    record.cpuMs,
    Math.round(record.peakMemoryBytes),
    record.memoryBytes,
    gbMs(record),
    record.bootMs,
    record.bytesIn,
    record.bytesOut,
  ];
}
