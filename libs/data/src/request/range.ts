import { pgrstError } from '../errors.js';

/** Which rows of a result are wanted. */
export interface RowRange {
  readonly offset: number;
  /** undefined: all of them. */
  readonly limit: number | undefined;
}

export const allRows: RowRange = { offset: 0, limit: undefined };

/** Parses the value of `limit` or `offset`. */
export function parseCount(name: string, value: string): number {
  if (/^-\d+$/.test(value)) throw rangeError('Limit should be greater than or equal to zero.');
  if (!/^\d{1,15}$/.test(value)) {
    throw pgrstError('PGRST100', {
      message: `"failed to parse ${name} (${value})" (line 1, column 1)`,
      details: 'expecting a whole number',
    });
  }
  return Number(value);
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

/** The rows that are in both ranges, counted from the start of the whole result. */
export function intersectRanges(a: RowRange, b: RowRange): RowRange {
  const end = (range: RowRange) => (range.limit === undefined ? Infinity : range.offset + range.limit);
  const offset = Math.max(a.offset, b.offset);
  const last = Math.min(end(a), end(b));
  return { offset, limit: last === Infinity ? undefined : Math.max(0, last - offset) };
}

function rangeError(details: string) {
  return pgrstError('PGRST103', { message: 'Requested range not satisfiable', details });
}
