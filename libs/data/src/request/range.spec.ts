import { expect, it } from '@jest/globals';
import { allRows, askedRange, intersectRanges, parseRangeHeader, type RowRange } from './range.js';

const range = (offset: number, limit?: number): RowRange => ({ offset, limit });

// What PostgREST's ranges come to.
it.each([
  [{}, allRows],
  [{ limit: '5' }, range(0, 5)],
  [{ limit: ' 5 ', offset: ' 2 ' }, range(2, 5)],
  [{ limit: '-4' }, range(0, -4)],
  [{ offset: '-4' }, range(-4)],
  [{ limit: '0', offset: '3' }, range(3, 0)],
  [{ limit: '-5', offset: '5' }, range(0, 0)],
  [{ limit: '-5', offset: '6' }, range(6, -5)],
  [{ limit: '4', offset: '-4' }, range(0, 0)],
  [{ limit: '' }, allRows],
  [{ limit: 'five' }, allRows],
  [{ limit: '1;drop' }, allRows],
  [{ offset: 'five' }, allRows],
  [{ limit: '2', offset: 'five' }, range(0, 2)],
  [{ limit: 'five', offset: '2' }, range(2, 0)],
  [{ limit: 'five', offset: 'five' }, range(0, 0)],
  [{ limit: '9'.repeat(40) }, range(0, Number.MAX_SAFE_INTEGER)],
])('reads %j as %j', (asked, expected) => {
  expect(askedRange(asked)).toEqual(expected);
});

it.each([
  ['0-9', range(0, 10)],
  ['5-1', range(5, -3)],
  ['5-', range(5)],
  ['bytes=0-', allRows],
  [undefined, allRows],
])('reads the header Range: %s', (header, expected) => {
  expect(parseRangeHeader(header)).toEqual(expected);
});

it.each([
  [allRows, range(2, 3), range(2, 3)],
  [range(1, 4), range(3, 10), range(3, 2)],
  [allRows, range(-4), range(0)],
  [allRows, range(-4, 10), range(0, 6)],
  [range(5, 5), range(0, 0), range(0, 0)],
  [range(5, -3), range(0, 0), range(0, 0)],
])('%j and %j have %j in common', (header, asked, expected) => {
  expect(intersectRanges(header, asked)).toEqual(expected);
});

const negativeLimit = 'Limit should be greater than or equal to zero.';
const backward = 'The lower boundary must be lower than or equal to the upper boundary in the Range header.';

it.each([
  [allRows, range(0, -1), negativeLimit],
  [allRows, range(-4, 2), negativeLimit],
  [range(0, 2), range(5, 5), negativeLimit],
  [allRows, range(5, 0), negativeLimit],
  [range(5, -3), allRows, backward],
  [range(5, 0), range(0, -1), backward],
])('%j and %j have nothing in common', (header, asked, details) => {
  expect(() => intersectRanges(header, asked)).toThrow(
    expect.objectContaining({ code: 'PGRST103', details }),
  );
});
