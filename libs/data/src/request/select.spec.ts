import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { parseSelect } from './select.js';

const field = (column: string, jsonPath: object[] = []) => ({ column, jsonPath });
const plain = (column: string) => ({
  kind: 'field',
  field: field(column),
  alias: undefined,
  cast: undefined,
  aggregate: undefined,
});
const embed = (relation: string, more: object = {}) => ({
  kind: 'embed',
  relation,
  alias: undefined,
  hint: undefined,
  inner: false,
  spread: false,
  items: [],
  ...more,
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
    ['', [{ kind: 'star' }]],
    [' ', [{ kind: 'star' }]],
    ['id', [plain('id')]],
    [' id , first name ', [plain('id'), plain('first name')]],
    ['dashed-name', [plain('dashed-name')]],
    ['"a,b(c)::d"', [plain('a,b(c)::d')]],
    ['"say \\"hi\\" \\\\"', [plain('say "hi" \\')]],
    ['naïve,日本', [plain('naïve'), plain('日本')]],
    ['__proto__,constructor', [plain('__proto__'), plain('constructor')]],
    ['n:id', [{ ...plain('id'), alias: 'n' }]],
    ['id::text', [{ ...plain('id'), cast: type('text') }]],
    ['n:id::INT', [{ ...plain('id'), alias: 'n', cast: type('int') }]],
    ['a::double precision', [{ ...plain('a'), cast: type('double precision') }]],
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
      embed('films', {
        alias: 'a',
        hint: 'fk',
        inner: true,
        items: [plain('id'), embed('roles', { alias: 'b', items: [{ kind: 'star' }] })],
      }),
      embed('empty'),
    ]);
    expect(parseSelect('films!inner!fk()')).toEqual([embed('films', { hint: 'fk', inner: true })]);
  });

  it('passes over what follows the last bracket, as PostgREST does', () => {
    expect(parseSelect(`films(id))'--`)).toEqual(parseSelect('films(id)'));
    expect(parseSelect('id)--')).toEqual(parseSelect('id'));
  });

  it('reads tables that are spread', () => {
    expect(parseSelect('...films!fk!inner(id,...roles())')).toEqual([
      embed('films', {
        hint: 'fk',
        inner: true,
        spread: true,
        items: [plain('id'), embed('roles', { spread: true })],
      }),
    ]);
  });

  it.each([
    ['count()', { kind: 'count', alias: undefined, aggregate: { function: 'count', cast: undefined } }],
    ['n:count()::text', { kind: 'count', alias: 'n', aggregate: { function: 'count', cast: type('text') } }],
    ['year.max()', { ...plain('year'), aggregate: { function: 'max', cast: undefined } }],
    ['count', plain('count')],
    ['count_all.sum()', { ...plain('count_all'), aggregate: { function: 'sum', cast: undefined } }],
    [
      's:info->>n::integer.sum()::text',
      {
        ...plain('info'),
        field: field('info', [{ arrow: '->>', key: 'n' }]),
        alias: 's',
        cast: type('integer'),
        aggregate: { function: 'sum', cast: type('text') },
      },
    ],
    [
      'a::app.mood.min()',
      {
        ...plain('a'),
        cast: type('mood', { schema: 'app' }),
        aggregate: { function: 'min', cast: undefined },
      },
    ],
  ])('reads the aggregate %j', (text, expected) => {
    expect(parseSelect(text)).toEqual([expected]);
  });

  it.each([
    ['id,', 'PGRST100'],
    [',id', 'PGRST100'],
    ['films(id', 'PGRST100'],
    ["id'", 'PGRST100'],
    ['id;drop table x', 'PGRST100'],
    ['id::', 'PGRST100'],
    ['id::"text"', 'PGRST100'],
    ['id::numeric(1,2,3)', 'PGRST100'],
    ['d->', 'PGRST100'],
    ['d->>(', 'PGRST100'],
    ['"open', 'PGRST100'],
    [':id', 'PGRST100'],
    ['id.median()', 'PGRST100'],
    ['id.sum(id)', 'PGRST100'],
    ['id.sum().max()', 'PGRST100'],
    ['count(id)', 'PGRST100'],
    ['count()x', 'PGRST100'],
    ['*id', 'PGRST100'],
    ['n:*', 'PGRST100'],
    ['...films', 'PGRST100'],
    ['...', 'PGRST100'],
    ['n:...films(id)', 'PGRST100'],
    ['films!a!b!c(id)', 'PGRST100'],
    ['id,clients(name[])', 'PGRST100'],
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
        details: expect.stringContaining("unexpected '!'"),
      }),
    );
  });
});
