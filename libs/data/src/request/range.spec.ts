import { expect, it } from '@jest/globals';
import { allRows, intersectRanges, parseCount, parseRangeHeader, type RowRange } from './range.js';

it.each([
  ['5', 5],
  [' 5 ', 5],
  ['-4', -4],
  ['', undefined],
  ['five', undefined],
  ['1;drop', undefined],
  ['9'.repeat(40), Number.MAX_SAFE_INTEGER],
])('reads %j as %s rows', (text, expected) => {
  expect(parseCount(text)).toBe(expected);
});

const range = (offset: number, limit?: number): RowRange => ({ offset, limit });

it.each([
  ['0-9', range(0, 10)],
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
])('%j and %j have %j in common', (header, asked, expected) => {
  expect(intersectRanges(header, asked)).toEqual(expected);
});

it.each([
  [allRows, range(0, -1)],
  [allRows, range(-4, 2)],
  [range(0, 2), range(5, 5)],
  [allRows, range(5, 0)],
])('%j and %j have nothing in common', (header, asked) => {
  expect(() => intersectRanges(header, asked)).toThrow(
    expect.objectContaining({
      code: 'PGRST103',
      details: 'Limit should be greater than or equal to zero.',
    }),
  );
});
