import { expect, it } from '@jest/globals';
import { contentRange, rangeStatus } from './content-range.js';

it.each([
  [0, 25, undefined, '0-24/*', 200],
  [0, 0, undefined, '*/*', 200],
  [0, 4, 4, '0-3/4', 200],
  [0, 2, 4, '0-1/4', 206],
  [3, 1, 4, '3-3/4', 206],
  [4, 0, 4, '*/4', 206],
  [5, 0, 4, '*/4', 416],
  [0, 0, 0, '*/0', 200],
])('rows %i+%i of %s are %s with %i', (offset, count, total, header, status) => {
  expect(contentRange(offset, count, total)).toBe(header);
  expect(rangeStatus(offset, count, total)).toBe(status);
});
