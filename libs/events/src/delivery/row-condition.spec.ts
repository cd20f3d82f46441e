import { describe, expect, it } from '@jest/globals';
import { mismatchOf, parseConditions, type ColumnKind } from './row-condition.js';

const one = (text: string) => parseConditions({ a: text }).conditions[0];
const problem = (text: string) => parseConditions({ a: text }).problems.get('a');

describe('a condition', () => {
  it.each([
    ['eq.paid', { operator: 'eq', negated: false, operands: ['paid'] }],
    ['not.gte.1.5', { operator: 'gte', negated: true, operands: ['1.5'] }],
    ['eq.', { operator: 'eq', negated: false, operands: [''] }],
    ['like.*a*', { operator: 'like', negated: false, operands: ['%a%'] }],
    ['is.not_null', { operator: 'is', negated: false, operands: ['not_null'] }],
    ['in.(a, "b, c","d\\"e")', { operator: 'in', negated: false, operands: ['a', 'b, c', 'd"e'] }],
    ["eq.'; drop table x --", { operator: 'eq', negated: false, operands: ["'; drop table x --"] }],
  ])('is read from %s', (text, expected) => {
    expect(one(text)).toEqual({ column: 'a', ...expected });
  });

  it.each([
    ['paid', /expected "<operator>\.<value>"/],
    ['match.x', /operators are eq, neq, gt/],
    ['is.maybe', /expected is\.null, is\.not_null/],
    ['in.a,b', /expected in\.\(one,two/],
    ['in.(a"b)', /expected in\.\(one,two/],
  ])('%s is refused', (text, expected) => {
    expect(problem(text)).toMatch(expected);
  });

  it.each<[string, ColumnKind, RegExp | undefined]>([
    ['gt.100', 'number', undefined],
    ['in.(1,x)', 'number', /expected a number, not "x"/],
    ['eq.true', 'boolean', undefined],
    ['gt.true', 'boolean', /gt is for numbers, dates and text/],
    ['like.1*', 'number', /like is for columns of text/],
    ['is.true', 'text', /not a boolean/],
    ['gt.2026-01-01', 'date', undefined],
    ['gt.yesterday', 'date', /expected a date/],
    ['eq.x', 'other', /only "is.null"/],
    ['is.null', 'other', undefined],
  ])('%s of a column of kind %s: %s', (text, kind, expected) => {
    const found = mismatchOf(one(text)!, kind);
    if (expected) expect(found).toMatch(expected);
    else expect(found).toBeUndefined();
  });
});
