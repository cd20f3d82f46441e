import { pgrstError } from '../errors.js';

/** Which rows of a result are wanted. */
export interface RowRange {
  readonly offset: number;
  /** undefined: all of them. */
  readonly limit: number | undefined;
}

export const allRows: RowRange = { offset: 0, limit: undefined };

/**
 * The rows that `limit` and `offset` ask for, by their texts. One that is no whole number says nothing, but beside an
 * `offset` such a `limit` is one of 0. The rows before the first one are none.
 */
export function askedRange(asked: { readonly limit?: string; readonly offset?: string }): RowRange {
  const offset = countOf(asked.offset) ?? 0;
  const limit =
    countOf(asked.limit) ?? (asked.limit !== undefined && asked.offset !== undefined ? 0 : undefined);
  return offset + (limit ?? Infinity) === 0 ? { offset: 0, limit: 0 } : { offset, limit };
}

function countOf(text = ''): number | undefined {
  if (!/^ *-?\d+ *$/.test(text)) return undefined;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(text)));
}

/**
 * Parses a `Range: 0-24` header of unit `items`. Other units (a browser's `bytes=0-`) are ignored, as
 * RFC 9110 §14.2 allows. A backward one has a limit that is not above 0.
 */
export function parseRangeHeader(header: string | undefined): RowRange {
  const match = /^(\d{1,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match) return allRows;
  const offset = Number(match[1]);
  return { offset, limit: match[2] === '' ? undefined : Number(match[2]) - offset + 1 };
}

/**
 * The rows that are in both ranges, counted from the start of the whole result.
 * @throws AppError PGRST103 when there can be none; `limit=0` alone is allowed to ask for none
 */
export function intersectRanges(header: RowRange, asked: RowRange): RowRange {
  if (endOf(asked) === 0) return { offset: 0, limit: 0 };
  const offset = Math.max(header.offset, asked.offset);
  const end = Math.min(endOf(header), endOf(asked));
  if (end > offset) return { offset, limit: end === Infinity ? undefined : end - offset };
  const isBackward = endOf(header) <= header.offset;
  throw pgrstError('PGRST103', {
    message: 'Requested range not satisfiable',
    details: isBackward
      ? 'The lower boundary must be lower than or equal to the upper boundary in the Range header.'
      : 'Limit should be greater than or equal to zero.',
  });
}

function endOf({ offset, limit }: RowRange): number {
  return limit === undefined ? Infinity : offset + limit;
}
