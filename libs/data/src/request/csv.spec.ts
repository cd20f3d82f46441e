import { describe, expect, it } from '@jest/globals';
import { parseCsv } from './csv.js';

describe('CSV', () => {
  it.each<[string, string[][]]>([
    ['a,b\n1,2', [['1', '2']]],
    ['a,b\r\n1,2\r\n', [['1', '2']]],
    ['a\r1\r2', [['1'], ['2']]],
    ['a,b\n"x,""y""\nz", w ', [['x,"y"\nz', ' w ']]],
    ['a,b\n,""', [['', '']]],
    ['a,b\n\n1\n1,2,3\n\n', [['1'], ['1', '2', '3']]],
    ['a\n', []],
  ])('%j is read line by line', (text, lines) => {
    expect(parseCsv(text).lines).toEqual(lines);
  });

  it('has the names of its fields in the first line', () => {
    expect(parseCsv('"a b",c\n').header).toEqual(['a b', 'c']);
  });

  it.each([
    ['', 'parse error (not enough input) at ""'],
    ['a,b', 'parse error (not enough input) at ""'],
    ['a\nx"y', 'parse error (endOfInput) at "\\"y"'],
    ['a\n"x"y', 'parse error (endOfInput) at "y"'],
    ['a\n"x', 'parse error (not enough input) at "\\"x"'],
    [`a\n"${'x'.repeat(200)}`, `parse error (not enough input) at "${'x'.repeat(99)} (truncated)`],
  ])('%j is refused', (text, message) => {
    expect(() => parseCsv(text)).toThrow(expect.objectContaining({ code: 'PGRST102', message }));
  });

  it('is read in time proportional to its length', () => {
    const field = `"${'""'.repeat(200_000)}"`;
    expect(parseCsv(`a\n${field}\n`).lines[0]![0]).toHaveLength(200_000);
    expect(() => parseCsv(`a\n"${'""'.repeat(200_000)}`)).toThrow();
  });
});
