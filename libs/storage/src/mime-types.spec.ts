import { describe, expect, it } from '@jest/globals';
import { isAllowedMimeType, isMimeType } from './mime-types.js';

describe('mime types', () => {
  it.each([
    ['image/png', null, true],
    ['image/png', [], true],
    ['image/png', ['image/png'], true],
    ['image/png', ['image/*'], true],
    ['IMAGE/PNG', ['image/png'], true],
    ['text/plain;charset=UTF-8', ['text/plain'], true],
    ['anything/else', ['*/*'], true],
    ['image/png', ['image/jpeg', 'video/*'], false],
    ['imagepng/x', ['image/*'], false],
    ['image', ['image/png'], false],
  ])('%s against %j: %s', (type, allowed, expected) =>
    expect(isAllowedMimeType(type, allowed)).toBe(expected),
  );

  it.each([
    ['image/svg+xml', true],
    ['text/plain; charset=UTF-8', true],
    ['image', false],
    ['', false],
    ['a/b\r\nx: y', false],
  ])('tells whether %j is one: %s', (text, expected) => expect(isMimeType(text)).toBe(expected));
});
