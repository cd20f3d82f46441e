import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { FilterBudget, looksLikeOperation, parseFieldPath, parseLogic, parseOperation } from './filter.js';

const compare = (operator: string, value: string) => ({ kind: 'compare', operator, value });
const on = (column: string, operation: object, negated = false) => ({
  kind: 'filter',
  field: { column, jsonPath: [] },
  negated,
  operation,
});

describe('parseOperation', () => {
  it.each([
    ['eq.5', false, compare('eq', '5')],
    ['eq.', false, compare('eq', '')],
    ['eq.a,b)(."', false, compare('eq', 'a,b)(."')],
    ['eq.\n2', false, compare('eq', '\n2')],
    ['not.neq.5', true, compare('neq', '5')],
    ['eq.not.5', false, compare('eq', 'not.5')],
    ['like(any).{a*,b}', false, { ...compare('like', '{a*,b}'), quantifier: 'any' }],
    ['gt(all).{1,2}', false, { ...compare('gt', '{1,2}'), quantifier: 'all' }],
    ['in.(1,2)', false, { kind: 'in', values: ['1', '2'] }],
    ['in.()', false, { kind: 'in', values: [] }],
    ['in.("a,b",c"d,"e)")', false, { kind: 'in', values: ['a,b', 'c"d', 'e)'] }],
    ['in.("\\"q\\"\\\\")', false, { kind: 'in', values: ['"q"\\'] }],
    ['in.("a"b,c)', false, { kind: 'in', values: ['"a"b', 'c'] }],
    ['is.NULL', false, { kind: 'is', value: 'null' }],
    ['is.not_null', false, { kind: 'is', value: 'not_null' }],
    ['isdistinct.x', false, { kind: 'isdistinct', value: 'x' }],
    ['fts.a & b', false, { kind: 'search', operator: 'fts', language: undefined, value: 'a & b' }],
    ['wfts(french).été', false, { kind: 'search', operator: 'wfts', language: 'french', value: 'été' }],
    ['nxl.[1,2)', false, compare('nxl', '[1,2)')],
  ])('reads %j', (text, negated, operation) => {
    expect(parseOperation(text)).toEqual({ negated, operation });
  });

  it.each([
    '',
    '5',
    'eq',
    'EQ.5',
    'eq5',
    'not.5',
    'not.not.eq.5',
    'is.maybe',
    'is.null or 1=1',
    'in.1',
    'in.(1',
    'in.(1)x',
    'neq(any).{1}',
    'eq(some).{1}',
    'fts(a;b).x',
    '__proto__.x',
    'constructor.x',
    `in.(${'1,'.repeat(limits.listElements)}1)`,
  ])('refuses %.40j', (text) => {
    expect(() => parseOperation(text)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
  });

  it('takes a long list in no time', () => {
    const values = Array.from({ length: limits.listElements }, (_, i) => `"${i}`);
    const started = performance.now();
    expect(parseOperation(`in.(${values.join(',')})`).operation).toMatchObject({ kind: 'in' });
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('parseFieldPath', () => {
  it.each([
    ['id', [], { column: 'id', jsonPath: [] }],
    ['a.b.id', ['a', 'b'], { column: 'id', jsonPath: [] }],
    ['"a.b".id', ['a.b'], { column: 'id', jsonPath: [] }],
    ['a.d->>k', ['a'], { column: 'd', jsonPath: [{ arrow: '->>', key: 'k' }] }],
  ])('reads %j', (name, path, field) => {
    expect(parseFieldPath(name)).toEqual({ path, field });
  });

  it.each(['', '.', 'a.', '.a', 'a b)', "a'", 'a->', 'a;b'])('refuses %j', (name) => {
    expect(() => parseFieldPath(name)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
  });
});

describe('parseLogic', () => {
  const parse = (name: string, value: string) => parseLogic(name, value, new FilterBudget());

  it('reads nested conditions, quoted values, lists and arrays', () => {
    expect(parse('or', '(a.eq.1,not.and(b.not.in.(2,3),c.cs.{x,y}), d.eq."e,)")')).toEqual({
      path: [],
      condition: {
        kind: 'logic',
        operator: 'or',
        negated: false,
        conditions: [
          on('a', compare('eq', '1')),
          {
            kind: 'logic',
            operator: 'and',
            negated: true,
            conditions: [on('b', { kind: 'in', values: ['2', '3'] }, true), on('c', compare('cs', '{x,y}'))],
          },
          on('d', compare('eq', 'e,)')),
        ],
      },
    });
  });

  it('reads columns that are called like an operator', () => {
    expect(parse('or', '(or.eq.1,and.is.null)').condition.conditions).toEqual([
      on('or', compare('eq', '1')),
      on('and', { kind: 'is', value: 'null' }),
    ]);
  });

  it('takes negation and embedded tables from its name', () => {
    const { path, condition } = parse('films.not.and', '(a.eq.1)');
    expect([path, condition.negated, condition.operator]).toEqual([['films'], true, 'and']);
  });

  it.each([
    '',
    '()',
    '(a.eq.1',
    '(a)',
    '(a.eq.1,)',
    '(not.a.eq.1)',
    'a.eq.1',
    '(and(a.eq.1)',
    `${'(and'.repeat(limits.logicDepth + 1)}(a.eq.1)${')'.repeat(limits.logicDepth + 1)}`,
    `(${'a.eq.1,'.repeat(limits.filters)}a.eq.1)`,
  ])('refuses %.40j', (value) => {
    expect(() => parse('or', value)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
  });

  it('passes over what follows the last bracket, as PostgREST does', () => {
    expect(parse('or', '(a.eq.1)),b')).toEqual(parse('or', '(a.eq.1)'));
  });

  it('counts columns from the operator, which PostgREST reads with the conditions', () => {
    const expected = 'field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)';
    for (const [name, column] of [
      ['or', 4],
      ['not.and', 9],
    ] as const) {
      expect(() => parse(name, '()')).toThrow(
        expect.objectContaining({
          message: `"failed to parse logic tree (())" (line 1, column ${column})`,
          details: `unexpected ")" expecting ${expected}`,
        }),
      );
    }
  });
});

it('takes blanks after the bracket of a list as none of its first value', () => {
  const values = (value: string) => parseOperation(value).operation;
  expect(values('in.(   )')).toEqual({ kind: 'in', values: [] });
  expect(values('in.( 1, 2 )')).toEqual({ kind: 'in', values: ['1', ' 2 '] });
});

it('tells filters from the arguments of a function', () => {
  expect(['eq.1', 'not.eq.1', 'fts(english).x', 'in.(1)', 'is.null'].every(looksLikeOperation)).toBe(true);
  expect(['1', 'a.b', 'equal.1', 'e.q', 'not.1', '', 'constructor.1'].some(looksLikeOperation)).toBe(false);
});
