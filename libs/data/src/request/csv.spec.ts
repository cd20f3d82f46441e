import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { parseCsv } from './csv.js';

function rowsOf(text: string): Record<string, unknown>[] {
  const { members, json } = parseCsv(text);
  const rows = JSON.parse(json) as Record<string, unknown>[];
  return rows.map((row) => Object.fromEntries([...members].map(([name, member]) => [name, row[member]])));
}

describe('CSV', () => {
  it.each<[string, Record<string, string | null>[]]>([
    ['a,b\n1,2', [{ a: '1', b: '2' }]],
    ['a,b\r\n1,2\r\n', [{ a: '1', b: '2' }]],
    ['a\r1\r2', [{ a: '1' }, { a: '2' }]],
    ['a,b\n"x,""y""\nz", w ', [{ a: 'x,"y"\nz', b: ' w ' }]],
    ['a,b\n,""', [{ a: '', b: '' }]],
    ['a\n\n1\n1,2,3\n\n""\n', [{ a: '1' }, { a: '1' }]],
    ['a\n,\n', [{ a: '' }]],
    ['a\n', []],
    [
      'a,b\nNULL,"NULL"\nNULLS,null',
      [
        { a: null, b: null },
        { a: 'NULLS', b: 'null' },
      ],
    ],
  ])('%j is read line by line', (text, rows) => {
    expect(rowsOf(text)).toEqual(rows);
  });

  it('may hold any character, in its names too', () => {
    const hard = '\u0001\té\u2028😀\\';
    expect(rowsOf(`"a""\n${hard}",b\n${hard},"""${hard}"\n`)).toEqual([
      { [`a"\n${hard}`]: hard, b: `"${hard}` },
    ]);
  });

  it('has the names of its fields in the first line, as far as there are fields', () => {
    expect([...parseCsv('"a b",c,a\n1,2\n').members.keys()]).toEqual(['a b', 'c']);
    expect(parseCsv('a,b\n').members.size).toBe(0);
  });

  it('gives the last of fields with the same name', () => {
    expect(rowsOf('a,b,a\n1,2,3\n')).toEqual([{ a: '3', b: '2' }]);
    expect(rowsOf('a,b,a\n1,2\n')).toEqual([{ a: '1', b: '2' }]);
  });

  it.each([
    ['', 'parse error (not enough input) at ""'],
    ['a,b', 'parse error (not enough input) at ""'],
    ['a\nx"y', 'parse error (endOfInput) at "\\"y"'],
    ['a\n"x"y', 'parse error (endOfInput) at "y"'],
    ['a\n"x', 'parse error (not enough input) at "\\"x"'],
    ['a,b\n1\n1,2\n"x', 'parse error (not enough input) at "\\"x"'],
    [`a\n"${'é'.repeat(200)}`, `parse error (not enough input) at "${'é'.repeat(99)} (truncated)`],
    ['a,b\n1\n1,2\n', 'All lines must have same number of fields'],
  ])('%j is refused', (text, message) => {
    expect(() => parseCsv(text)).toThrow(expect.objectContaining({ code: 'PGRST102', message }));
  });

  it('is read in time proportional to its length', () => {
    const field = `"${'""'.repeat(200_000)}"`;
    expect(rowsOf(`a\n${field}\n`)).toEqual([{ a: '"'.repeat(200_000) }]);
    expect(() => parseCsv(`a\n"${'""'.repeat(200_000)}`)).toThrow();
  });

  it('does not repeat its header in every row', () => {
    const text = `${'x'.repeat(100_000)}\n${'1\n'.repeat(20_000)}`;
    expect(parseCsv(text).json.length).toBeLessThan(300_000);
  });

  it('is refused when it has too many fields', () => {
    const message = `The request has more than ${limits.csvJsonBytes} bytes as JSON`;
    const text = `a\n${'1\n'.repeat(limits.csvJsonBytes / 10 + 1)}`;
    expect(() => parseCsv(text)).toThrow(expect.objectContaining({ code: 'PGRST100', message }));
  });
});
