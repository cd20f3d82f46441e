import { parseInput } from '#libs/platform';
import { z } from 'zod';
import { limits } from '../limits.js';
import type { LogFilter } from '../logs/log-filter.js';
import type { LogCursor, LogLevel, LogPage } from '../logs/log-lines.sql.js';
import type { TailStart } from '../logs/log-tails.js';
import { invalidRequest } from './function-errors.js';

const levels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];
const level = z.enum(levels);
/** PostgreSQL's `bigint`. */
const position = z.string().regex(/^\d{1,18}$/);

/** The part of an invocation's id that is random, as the command line prints it. */
const idEnd = /^[0-9a-f]{12}$/;

const filterFields = {
  invocation_id: z
    .union([z.uuid(), z.string().regex(idEnd)], 'expected the id of an invocation, or its last 12 digits')
    .optional(),
  deployment: z.coerce.number().int().min(1).max(2_147_483_647).optional(),
  /** One or several: `warn,error`. */
  level: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(level).min(1).max(levels.length))
    .optional(),
  /** This one and worse ones. */
  min_level: level.optional(),
  text: z
    .string()
    .min(1)
    .max(limits.logTextChars)
    .regex(/^[^\0]*$/, 'expected text without a zero byte')
    .optional(),
};
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

const listQuery = z.strictObject({
  ...filterFields,
  since: time.optional(),
  until: time.optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
  cursor: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(limits.listedLogLines).default(100),
});

const tailQuery = z.strictObject({
  ...filterFields,
  limit: z.coerce.number().int().min(0).max(limits.listedLogLines).default(0),
});

type Filter = Omit<LogFilter, 'projectRef' | 'functionSlug'>;

/** @throws AppError `invalid_request` (400) */
export function parseListQuery(query: unknown): { filter: Filter; page: LogPage } {
  const { since, until, order, cursor, limit, ...filter } = parseInput(listQuery, query);
  return {
    filter: filterOf(filter),
    page: { since, until, order, limit, cursor: cursor === undefined ? undefined : parseCursor(cursor) },
  };
}

/**
 * @param lastEventId the header by which a client that was cut off says what it had last
 * @throws AppError `invalid_request` (400)
 */
export function parseTailQuery(query: unknown, lastEventId: unknown): { filter: Filter; start: TailStart } {
  const { limit, ...filter } = parseInput(tailQuery, query);
  if (lastEventId === undefined || lastEventId === '')
    return { filter: filterOf(filter), start: { newest: limit } };
  const after = position.safeParse(lastEventId);
  if (!after.success) throw invalidRequest('Last-Event-ID: expected the id of an event of this tail');
  return { filter: filterOf(filter), start: { after: after.data } };
}

/** What {@link parseListQuery} takes for the page after this line. */
export function cursorAfter({ at, position: last }: LogCursor): string {
  return Buffer.from(`${at.getTime()}.${last}`).toString('base64url');
}

function parseCursor(cursor: string): LogCursor {
  const found = /^(\d{1,14})\.(\d{1,18})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  if (!found) throw invalidRequest('cursor: expected one of the Link header of a listing');
  return { at: new Date(Number(found[1])), position: found[2]! };
}

function filterOf(fields: {
  invocation_id?: string | undefined;
  deployment?: number | undefined;
  level?: readonly LogLevel[] | undefined;
  min_level?: LogLevel | undefined;
  text?: string | undefined;
}): Filter {
  const { invocation_id: invocationId, deployment, level: listed, min_level: least, text } = fields;
  if (listed && least) throw invalidRequest('level and min_level exclude each other');
  return { invocationId, deployment, text, levels: least ? levels.slice(levels.indexOf(least)) : listed };
}
