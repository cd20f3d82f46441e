import { describe, expect, it } from '@jest/globals';
import { parseFileSize } from './file-size.js';

describe('parseFileSize', () => {
  it.each([
    [1024, 1024],
    ['1024', 1024],
    ['3B', 3],
    ['30KB', 30_000],
    ['20MB', 20_000_000],
    ['1.5gb', 1_500_000_000],
    [-1, undefined],
    [1.5, undefined],
    ['', undefined],
    ['20 elephants', undefined],
    ['-5MB', undefined],
    ['9999999999GB', undefined],
  ])('reads %j as %s bytes', (value, bytes) => expect(parseFileSize(value)).toBe(bytes));
});
