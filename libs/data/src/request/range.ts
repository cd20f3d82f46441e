import { pgrstError } from '../errors.js';

/** Which rows of a result are wanted. */
export interface RowRange {
  readonly offset: number;
  /** undefined: all of them. */
  readonly limit: number | undefined;
}

export const allRows: RowRange = { offset: 0, limit: undefined };

/** Parses the value of `limit` or `offset`. One that is no whole number says nothing. */
export function parseCount(value: string): number | undefined {
  if (!/^ *-?\d+ *$/.test(value)) return undefined;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(value)));
}

/**
 * Parses a `Range: 0-24` header of unit `items`. Other units (a browser's `bytes=0-`) are ignored, as
 * RFC 9110 §14.2 allows.
 */
export function parseRangeHeader(header: string | undefined): RowRange {
  const match = /^(\d{1,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match) return allRows;
  const offset = Number(match[1]);
  if (match[2] === '') return { offset, limit: undefined };
  const last = Number(match[2]);
  if (last < offset) {
    throw rangeError(
      'The lower boundary must be lower than or equal to the upper boundary in the Range header.',
    );
  }
  return { offset, limit: last - offset + 1 };
}

/**
 * The rows that are in both ranges, counted from the start of the whole result.
 * @throws AppError PGRST103 when there can be none; `limit=0` alone is allowed to ask for none
 */
export function intersectRanges(header: RowRange, asked: RowRange): RowRange {
  if (endOf(asked) === 0) return { offset: 0, limit: 0 };
  const offset = Math.max(header.offset, asked.offset);
  const end = Math.min(endOf(header), endOf(asked));
  if (end <= offset) throw rangeError('Limit should be greater than or equal to zero.');
  return { offset, limit: end === Infinity ? undefined : end - offset };
}

function endOf({ offset, limit }: RowRange): number {
  return limit === undefined ? Infinity : offset + limit;
}

function rangeError(details: string) {
  return pgrstError('PGRST103', { message: 'Requested range not satisfiable', details });
}
