import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { jsonShape } from './json-shape.js';

const shape = (text: string, mostKeys = 100) => jsonShape(text, mostKeys);

describe('the shape of JSON', () => {
  it.each([
    ['{"a":1,"b":[{"c":2}],"a":3}', 'object', ['a', 'b']],
    [' { "" : {} , "__proto__" : [ ] } ', 'object', ['', '__proto__']],
    ['{"a\\u0062\\n":1,"ab\\n":2}', 'object', ['ab\n']],
    ['[]', 'list', []],
    ['[{},{}]', 'list', []],
    ['[{"a":1,"b":2},{"b":1,"a":2},{"b":1,"a":2,"\\u0062":3}]', 'list', ['a', 'b']],
    ['"x"', 'value', []],
  ])('of %s is known', (text, kind, keys) => {
    expect(shape(text)).toEqual({ kind, keys, isUneven: false });
  });

  it.each(['[{"a":1},{"b":1}]', '[{"a":1},{}]', '[{},{"a":1}]', '[{"a":1},{"a":1,"b":2}]', '[1]', '[{},[]]'])(
    'of %s is uneven',
    (text) => {
      expect(shape(text).isUneven).toBe(true);
    },
  );

  const values = [
    '',
    ' ',
    '0',
    '-0',
    '01',
    '-',
    '+1',
    '1.',
    '.5',
    '1.5',
    '1e5',
    '1E+5',
    '1e',
    '1e-',
    '1.e5',
    '-1.25e-07',
    '1x',
    'true',
    'tru',
    'truee',
    'false',
    'null',
    'nul',
    'NaN',
    'undefined',
    '"',
    '""',
    '"a',
    '"\\"',
    '"\\\\"',
    '"\\x"',
    '"\\/"',
    '"\\u12"',
    '"\\u12G4"',
    '"\\uD83d"',
    '"\t"',
    '"\u007f"',
    '"é😀"',
    '\ufeff1',
    '\u00a01',
    '1\n',
    '1\f',
    '1 1',
    'é',
  ];
  const nested = values.flatMap((value) => [
    value,
    `[${value}]`,
    `[${value},${value}]`,
    `{"a":${value}}`,
    `[{"a":[${value}]},{"a":{"b":${value}}}]`,
    `${value}]`,
  ]);
  const others = [
    '{',
    '}',
    '[',
    ']',
    '{}',
    '[,]',
    '[1,]',
    '{,}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    '[}',
    '{]',
    '[[],{}]',
    '[[}]',
    '{"a":[}}',
    '{"a":{]}',
    '[1 2]',
    '{"a" 1}',
    '{1:2}',
    '[{"a":1},]',
    '{}{}',
  ];

  it.each([...nested, ...others].map((text) => [text]))('of %j is told where it is JSON', (text) => {
    const parses = () => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    if (parses()) expect(shape(text)).toBeDefined();
    else expect(() => shape(text)).toThrow(expect.objectContaining({ code: 'PGRST102' }));
  });

  it('is found as deep as rows may nest', () => {
    const deep = limits.bodyNesting;
    const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(shape(`{"a":${lists(deep)}}`)).toMatchObject({ keys: ['a'] });
    for (const text of [`{"a":${lists(deep + 2)}}`, '['.repeat(1_000_000), '{"a":'.repeat(1_000_000)]) {
      expect(() => shape(text)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
    }
  });

  it('has no more names than are asked for and one', () => {
    const many = `{${Array.from({ length: 50 }, (_, i) => `"k${i}":1`).join(',')}}`;
    expect(shape(many, 3).keys).toEqual(['k0', 'k1', 'k2', 'k3']);
    expect(shape(`[${many},{}]`, 3).isUneven).toBe(false);
  });
});
