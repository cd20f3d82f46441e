import { describe, expect, it } from '@jest/globals';
import { nestsDeeper, textNestsDeeper } from './nesting.js';

const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const objects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);

describe('the nesting of a JSON text', () => {
  it.each([
    ['lists as deep as the limit', lists(10), false],
    ['lists one deeper', lists(11), true],
    ['objects as deep as the limit', objects(10), false],
    ['objects one deeper', objects(11), true],
    ['many beside each other', `[${Array(50).fill('[]').join(',')}]`, false],
    ['brackets in a string', JSON.stringify({ text: '['.repeat(50) }), false],
    ['brackets behind an escaped quote', JSON.stringify(`"${'['.repeat(50)}`), false],
    ['brackets behind an escaped backslash', `["\\\\",${lists(11)}]`, true],
  ])('of %s', (_, json, expected) => {
    expect(textNestsDeeper(json, 10)).toBe(expected);
    expect(nestsDeeper(JSON.parse(json), 10)).toBe(expected);
  });
});
