import { describe, expect, it } from '@jest/globals';
import { isPlainPath } from './plain-path.js';

describe('the path of a source file', () => {
  it.each([
    '/etc/passwd',
    '../x',
    'a/../../x',
    'a//b',
    '',
    'C:x',
    'a\\b',
    'a\0b',
    'a/.',
    './a',
    '-a',
    'a%2fb',
    `${'a/'.repeat(300)}b`,
    'a'.repeat(256),
    `${'é'.repeat(128)}.ts`,
  ])('%j is refused', (path) => expect(isPlainPath(path)).toBe(false));

  it('may be below any folder', () => expect(isPlainPath('a/b.c/_d-e.ts')).toBe(true));
});
