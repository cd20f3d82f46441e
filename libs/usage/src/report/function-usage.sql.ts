import type { Sql } from '#libs/platform';
import { invocationSums } from '../invocation-record.js';
import type { Period, PeriodUnit } from '../hours.js';
import type { PriceBook, Quantities } from '../prices/price-book.js';

/** What a function used in an hour, day or month. */
export interface FunctionUsage {
  readonly at: Date;
  readonly function: string;
  readonly invocations: number;
  readonly failed: number;
  readonly cold_starts: number;
  readonly wall_ms: number;
  readonly cpu_ms: number;
  readonly gb_ms: number;
  /** With each invocation's time rounded up to whole milliseconds. */
  readonly whole_gb_ms: number;
  readonly peak_memory_bytes: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  /** Processes that began to serve; what they used for that, and between invocations. */
  readonly starts: number;
  readonly boot_cpu_ms: number;
  readonly idle_cpu_ms: number;
  readonly egress_sent_bytes: number;
  readonly egress_received_bytes: number;
}

/** What may be added up over periods and functions. */
export const summedFields = [
  ...invocationSums,
  'starts',
  'boot_cpu_ms',
  'idle_cpu_ms',
  'egress_sent_bytes',
  'egress_received_bytes',
] as const;

const invokedFields = summedFields.slice(0, 9);
const backgroundFields = summedFields.slice(9);
const sumsOf = (fields: readonly string[]) =>
  fields.map((field) => `sum(${field})::float8 as ${field}`).join(', ');

/** By period and function, from the sums by the hour. */
export async function functionUsage(
  sql: Sql,
  projectRef: string,
  unit: PeriodUnit,
  { from, to }: Period,
): Promise<FunctionUsage[]> {
  const where = 'project_ref = $1 and hour >= $2 and hour < $3';
  const { rows } = await sql.query<FunctionUsage>(
    `select at, function, ${summedFields.map((field) => `coalesce(${field}, 0) as ${field}`).join(', ')},
            coalesce(peak_memory_bytes, 0) as peak_memory_bytes
     from (
       select date_trunc($4, hour, 'UTC') as at, function_slug as function, ${sumsOf(invokedFields)},
              max(peak_memory_bytes)::float8 as peak_memory_bytes
       from invocation_hours where ${where} group by 1, 2) invoked
     full join (
       select date_trunc($4, hour, 'UTC') as at, function_slug as function, ${sumsOf(backgroundFields)}
       from background_usage where ${where} group by 1, 2) background using (at, function)
     order by at, function`,
    [projectRef, from, to, unit],
  );
  return rows;
}

/** What of it may have a price. */
export function functionQuantities(
  usage: Omit<FunctionUsage, 'at' | 'function'>,
  book: PriceBook,
): Quantities {
  const gbMs = book.duration_step_ms === 1 ? usage.whole_gb_ms : usage.gb_ms;
  return {
    invocations: usage.invocations,
    gb_seconds: gbMs / 1000,
    cpu_seconds: (usage.cpu_ms + usage.boot_cpu_ms + usage.idle_cpu_ms) / 1000,
    function_egress_bytes: usage.egress_sent_bytes,
  };
}

/** The sum of all, by what `keyOf` says of each. */
export function sumUsage<Key extends string>(
  usages: readonly FunctionUsage[],
  keyOf: (usage: FunctionUsage) => Key,
): Map<Key, FunctionUsage> {
  const sums = new Map<Key, FunctionUsage>();
  for (const usage of usages) {
    const key = keyOf(usage);
    const sum = sums.get(key);
    if (!sum) {
      sums.set(key, usage);
      continue;
    }
    const peak = Math.max(sum.peak_memory_bytes, usage.peak_memory_bytes);
    const added = Object.fromEntries(summedFields.map((field) => [field, sum[field] + usage[field]]));
    sums.set(key, { ...sum, ...added, peak_memory_bytes: peak });
  }
  return sums;
}
