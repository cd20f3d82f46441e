import type { Sql } from '#libs/platform';

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
}

/** Memory reserved, times the time it was held; a GB is 2³⁰ bytes, as the clouds count it. */
export function gbMs(record: Pick<InvocationRecord, 'memoryBytes' | 'wallMs'>): number {
  return (record.memoryBytes / 2 ** 30) * record.wallMs;
}

/**
 * Writes records with one statement. A second success of one delivery is left out: it was delivered twice, and
 * is recorded as succeeded once. Returns the ids that were written.
 */
export async function insertInvocations(sql: Sql, records: readonly InvocationRecord[]): Promise<string[]> {
  if (records.length === 0) return [];
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
  };
  const names = Object.keys(columns);
  const arrays = Object.values(columns).map((type, i) => `$${i + 1}::${type}[]`);
  const rows = records.map(rowOf);
  const { rows: written } = await sql.query<{ id: string }>(
    `insert into invocations (${names.join(', ')}) select * from unnest(${arrays.join(', ')})
     on conflict do nothing returning id`,
    names.map((_, column) => rows.map((row) => row[column])),
  );
  return written.map((row) => row.id);
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
  ];
}
