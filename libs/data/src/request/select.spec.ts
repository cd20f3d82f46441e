import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { parseSelect } from './select.js';

const field = (column: string, jsonPath: object[] = []) => ({ column, jsonPath });
const plain = (column: string) => ({
  kind: 'field',
  field: field(column),
  alias: undefined,
  cast: undefined,
});
const type = (name: string, more: object = {}) => ({
  schema: undefined,
  name,
  modifiers: [],
  array: false,
  ...more,
});

describe('parseSelect', () => {
  it.each([
    ['*', [{ kind: 'star' }]],
    ['', []],
    ['id', [plain('id')]],
    [' id , first name ', [plain('id'), plain('first name')]],
    ['dashed-name', [plain('dashed-name')]],
    ['"a,b(c)::d"', [plain('a,b(c)::d')]],
    ['"say \\"hi\\" \\\\"', [plain('say "hi" \\')]],
    ['naïve,日本', [plain('naïve'), plain('日本')]],
    ['__proto__,constructor', [plain('__proto__'), plain('constructor')]],
    ['n:id', [{ ...plain('id'), alias: 'n' }]],
    ['id::text', [{ ...plain('id'), cast: type('text') }]],
    ['n:id::INT', [{ ...plain('id'), alias: 'n', cast: type('int4') }]],
    ['a::double precision', [{ ...plain('a'), cast: type('float8') }]],
    ['a::numeric(10, 2)', [{ ...plain('a'), cast: type('numeric', { modifiers: [10, 2] }) }]],
    ['a::app.mood[]', [{ ...plain('a'), cast: type('mood', { schema: 'app', array: true }) }]],
    [
      'd->a->>0',
      [
        {
          ...plain('d'),
          field: field('d', [
            { arrow: '->', key: 'a' },
            { arrow: '->>', key: 0 },
          ]),
        },
      ],
    ],
    ['d->-1', [{ ...plain('d'), field: field('d', [{ arrow: '->', key: -1 }]) }]],
    ['d->"a.b"', [{ ...plain('d'), field: field('d', [{ arrow: '->', key: 'a.b' }]) }]],
    ['d->1a', [{ ...plain('d'), field: field('d', [{ arrow: '->', key: '1a' }]) }]],
  ])('reads %j', (text, expected) => {
    expect(parseSelect(text)).toEqual(expected);
  });

  it('reads embedded tables with alias, hint and join', () => {
    expect(parseSelect('a:films!fk!inner(id,b:roles!left(*)),empty()')).toEqual([
      {
        kind: 'embed',
        relation: 'films',
        alias: 'a',
        hint: 'fk',
        inner: true,
        items: [
          plain('id'),
          {
            kind: 'embed',
            relation: 'roles',
            alias: 'b',
            hint: undefined,
            inner: false,
            items: [{ kind: 'star' }],
          },
        ],
      },
      { kind: 'embed', relation: 'empty', alias: undefined, hint: undefined, inner: false, items: [] },
    ]);
  });

  it.each([
    ['id,', 'PGRST100'],
    [',id', 'PGRST100'],
    ['films(id', 'PGRST100'],
    ['films(id))', 'PGRST100'],
    ['id)', 'PGRST100'],
    ["id'", 'PGRST100'],
    ['id;drop table x', 'PGRST100'],
    ['id::', 'PGRST100'],
    ['id::text)--', 'PGRST100'],
    ['id::"text"', 'PGRST100'],
    ['id::numeric(1,2,3)', 'PGRST100'],
    ['d->', 'PGRST100'],
    ['d->>(', 'PGRST100'],
    ['"open', 'PGRST100'],
    [':id', 'PGRST100'],
    ['id.sum()', 'PGRST123'],
    ['count()', 'PGRST123'],
    ['n:count()', 'PGRST123'],
    ['...films(id)', 'PGRST127'],
    [Array.from({ length: limits.selectItems + 1 }, () => 'a').join(), 'PGRST100'],
    ['a('.repeat(limits.embedDepth + 1) + ')'.repeat(limits.embedDepth + 1), 'PGRST100'],
    ['d' + '->a'.repeat(limits.jsonPathSteps + 1), 'PGRST100'],
  ])('refuses %.40j with %s', (text, code) => {
    expect(() => parseSelect(text)).toThrow(expect.objectContaining({ code }));
  });

  it('says where it could not go on', () => {
    expect(() => parseSelect('id,na!me')).toThrow(
      expect.objectContaining({
        message: '"failed to parse select parameter (id,na!me)" (line 1, column 6)',
        details: expect.stringContaining('unexpected "!"'),
      }),
    );
  });
});
