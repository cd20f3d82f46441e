import { eventNames, parseConditions, type EventName } from '#libs/events';
import { z } from 'zod';
import { limits } from '../limits.js';
import { isSlug } from './slug.js';
import { bucketName, byName, list, queueName, table, tableName, wholeNumber } from './toml-schema.js';

const columnName = z.string().regex(/^[^\0]{1,63}$/, { error: 'expected the name of a column' });
/** What may order deliveries of an object's or account's events: columns of their rows that stay. */
const orderingColumns = { object: ['id', 'name', 'bucket_id', 'owner_id'], user: ['id'] };

const retry = z.union(
  [
    table({
      delays_ms: list(wholeNumber(limits.retryDelayMs)).min(1, { error: 'expected one or more waits' }),
    }),
    table({
      min_ms: wholeNumber(limits.retryDelayMs).default(1_000),
      max_ms: wholeNumber(limits.retryDelayMs).default(600_000),
      factor: z
        .number()
        .min(1, { error: 'expected a number from 1 to 10' })
        .max(10, { error: 'expected a number from 1 to 10' })
        .default(2),
    }).refine(({ min_ms: min, max_ms: max }) => min <= max, {
      error: 'expected min_ms to be at most max_ms',
    }),
  ],
  {
    error: `expected { delays_ms = [1000, 60000] } or { min_ms, max_ms, factor }, waits from ${limits.retryDelayMs.min} to ${limits.retryDelayMs.max} ms`,
  },
);

const batch = table({
  size: wholeNumber(limits.batchSize),
  /** How long the first event waits for others. */
  window_ms: wholeNumber(limits.batchWindowMs).default(0),
});

/** A schedule has its function already: it is declared under `schedule`. */
const subscribable = eventNames.filter((name) => name !== 'schedule.fired');

/** What wakes a function: one `[[functions.<slug>.on]]`. */
export const subscription = table({
  event: z.enum(subscribable, { error: `expected one of ${subscribable.join(', ')}` }),
  bucket: bucketName.optional(),
  prefix: z.string().min(1).max(900).optional(),
  table: tableName.optional(),
  queue: queueName.optional(),
  function: z.string().refine(isSlug, { error: 'expected the name of a function' }).optional(),
  columns: list(columnName).min(1, { error: 'expected the name of a column' }).optional(),
  when: byName(columnName, z.string().max(limits.conditionChars)).optional(),
  attempts: wholeNumber(limits.attempts).optional(),
  retry: retry.optional(),
  ordering_key: columnName.optional(),
  batch: batch.optional(),
}).superRefine((on, context) => {
  const refuse = (path: PropertyKey[], message: string) =>
    context.addIssue({ code: 'custom', path, message });
  const allowed = filtersOf(on.event);
  for (const key of ['bucket', 'prefix', 'table', 'queue', 'function', 'columns', 'when'] as const) {
    if (on[key] === undefined || allowed.includes(key)) continue;
    refuse([key], `${on.event} has no ${key}; expected ${allowed.join(', ') || 'no filter'}`);
  }
  if (on.event.startsWith('row.') && on.table === undefined)
    refuse(['table'], 'expected "schema.table": row events need it');
  if (on.event === 'queue.message' && on.queue === undefined)
    refuse(['queue'], 'expected the name of a queue');
  for (const [column, problem] of parseConditions(on.when ?? {}).problems) refuse(['when', column], problem);
  const problem = orderingProblem(on);
  if (problem) refuse(['ordering_key'], problem);
});

function filtersOf(event: EventName): readonly string[] {
  if (event.startsWith('object.')) return ['bucket', 'prefix'];
  if (event === 'row.updated') return ['table', 'columns', 'when'];
  if (event.startsWith('row.')) return ['table', 'when'];
  if (event.startsWith('function.')) return ['function'];
  if (event === 'queue.message') return ['queue'];
  return [];
}

function orderingProblem(on: { event: EventName; ordering_key?: string | undefined; batch?: unknown }) {
  if (on.ordering_key === undefined) return undefined;
  if (on.batch) return 'a subscription has either an order or batches';
  if (/^(function|queue)\./.test(on.event)) return `${on.event} has no order`;
  const columns = orderingColumns[on.event.split('.')[0] as keyof typeof orderingColumns];
  if (!columns || columns.includes(on.ordering_key)) return undefined;
  return `${on.event} is ordered by ${columns.join(', ')}`;
}
