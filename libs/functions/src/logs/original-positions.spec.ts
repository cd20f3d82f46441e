import { describe, expect, it } from '@jest/globals';
import { TraceMap } from '@jridgewell/trace-mapping';
import { limits } from '../limits.js';
import { runtimeLimits } from '../runtime/runtime-limits.js';
import { namesBundle, withOriginalPositions } from './original-positions.js';

/** Line 1 column 1 came from a.ts:3:1, line 1 column 5 from a.ts:3:9; line 2 came from nowhere. */
const map = new TraceMap({ version: 3, sources: ['a.ts'], names: [], mappings: 'AAEA,IAAQ;' });

describe('places in a bundle', () => {
  it.each([
    ['at f (main.js:1:1)', 'at f (a.ts:3:1)'],
    ['at async main.js:1:5', 'at async a.ts:3:9'],
    ['at f (main.js:1:3)\n at main.js:1:6', 'at f (a.ts:3:1)\n at a.ts:3:9'],
    ['main.js:1:1', 'a.ts:3:1'],
    ['main.js:2:1 main.js:900:1', 'main.js:2:1 main.js:900:1'],
    ['main.js:0:0 main.js:1:0 main.js:99999999:1', 'main.js:0:0 main.js:1:0 main.js:99999999:1'],
    ['at https://example.com/main.js:1:1', 'at https://example.com/main.js:1:1'],
    ['domain.js:1:1 and x-main.js:1:1', 'domain.js:1:1 and x-main.js:1:1'],
  ])('%j become %j', (text, expected) => {
    expect(withOriginalPositions(text, map)).toBe(expected);
  });

  it('are looked for only where the bundle is named', () => {
    expect(namesBundle('main.js and index.ts:1:1')).toBe(false);
    expect(namesBundle('Error: x\n    at main.js:10:3')).toBe(true);
  });

  it('are so many in one record and no more', () => {
    const text = 'main.js:1:1\n'.repeat(limits.mappedPositions + 1);
    expect(withOriginalPositions(text, map).split('main.js')).toHaveLength(2);
  });

  it('cost little to look for, whatever the text', () => {
    const texts = ['main.js:', 'main.js:1:', 'main.js:1:1', 'm', '1', 'main.js:1:1main.js:'].map((part) =>
      part.repeat(runtimeLimits.logLineChars / part.length),
    );
    const began = performance.now();
    for (const text of texts) for (let n = 0; n < 100; n += 1) withOriginalPositions(text, map);
    expect((performance.now() - began) / (100 * texts.length)).toBeLessThan(5);
  });
});
