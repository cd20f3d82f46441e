import { describe, expect, it } from '@jest/globals';
import { matchesGlob } from './matches-glob.js';

describe('a glob', () => {
  it.each([
    ['a/page.html', 'a/page.html'],
    ['a/page.html', 'a/*.html'],
    ['a/page.html', '*/page.html'],
    ['a/page.html', 'a/p?ge.*'],
    ['a/page.html', '**/*.html'],
    ['page.html', '**/*.html'],
    ['a/b/c/page.html', 'a/**/page.html'],
    ['a/page.html', 'a/**/page.html'],
    ['a/b/c.html', 'a/**'],
    ['a/b/a/b/c', '**/a/b/c'],
    ['aXbXb', 'a*b'],
    ['a/[slug].html', 'a/[slug].html'],
    ['a/été.html', 'a/?t?.html'],
  ])('names %s as %s', (path, pattern) => expect(matchesGlob(path, pattern)).toBe(true));

  it.each([
    ['a/b/page.html', 'a/*.html'],
    ['a/page.html', 'a/*.htm'],
    ['a/page.html', 'page.html'],
    ['a/pagexhtml', 'a/page.html'],
    ['a/page.html', 'a/page.html/*'],
    ['a/page.html', 'a/page.?html'],
    ['a/b/c', '**/b'],
    ['a', ''],
  ])('does not name %s as %s', (path, pattern) => expect(matchesGlob(path, pattern)).toBe(false));

  it('is soon done, however it is made', () => {
    const began = performance.now();
    expect(matchesGlob('a'.repeat(500), '*a'.repeat(200) + 'b')).toBe(false);
    expect(matchesGlob('a/'.repeat(200) + 'a', '**/a/'.repeat(60) + 'b')).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });
});
