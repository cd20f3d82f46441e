import { describe, expect, it } from '@jest/globals';
import { idempotencyKey } from './idempotency-key.js';

describe('an idempotency key', () => {
  it.each([
    ['in quotes', '"8e03978e-40d5"', '8e03978e-40d5'],
    ['with escapes', '"a \\"b\\" \\\\"', 'a "b" \\'],
    ['plain, as many clients send it', 'order-17', 'order-17'],
    ['in spaces', '  "a"  ', 'a'],
    ['as long as it may be', 'k'.repeat(255), 'k'.repeat(255)],
  ])('is read %s', (_what, header, key) => {
    expect(idempotencyKey(header)).toBe(key);
  });

  it('may be left out', () => {
    expect(idempotencyKey(undefined)).toBeUndefined();
  });

  it.each([
    ['empty', ''],
    ['an empty string', '""'],
    ['two', '"a", "b"'],
    ['one with parameters', '"a";b=1'],
    ['one that is not closed', '"a'],
    ['not of ASCII', '"ä"'],
    ['too long', 'k'.repeat(256)],
  ])('is refused when it is %s', (_what, header) => {
    expect(() => idempotencyKey(header)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
  });
});
