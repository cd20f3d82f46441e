import { limitError } from '../errors.js';
import { limits } from '../limits.js';
import { readField, readJsonPath, readName, type Field } from './field.js';
import { Reader } from './reader.js';

/** A condition on rows: one comparison, or several joined by `and` or `or`. */
export type Condition = FilterCondition | LogicCondition;

export interface FilterCondition {
  readonly kind: 'filter';
  readonly field: Field;
  readonly negated: boolean;
  readonly operation: Operation;
}

export interface LogicCondition {
  readonly kind: 'logic';
  readonly operator: 'and' | 'or';
  readonly negated: boolean;
  readonly conditions: readonly Condition[];
}

export type Operation =
  | { kind: 'compare'; operator: CompareOperator; quantifier?: 'any' | 'all'; value: string }
  | { kind: 'in'; values: readonly string[] }
  | { kind: 'is'; value: IsValue }
  | { kind: 'isdistinct'; value: string }
  | { kind: 'search'; operator: SearchOperator; language: string | undefined; value: string };

const quantifiable = ['eq', 'gte', 'gt', 'lte', 'lt', 'like', 'ilike', 'match', 'imatch'] as const;
const simple = ['neq', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj'] as const;
const search = ['fts', 'plfts', 'phfts', 'wfts'] as const;
const isValues = ['null', 'not_null', 'true', 'false', 'unknown'] as const;

export type CompareOperator = (typeof quantifiable)[number] | (typeof simple)[number];
export type SearchOperator = (typeof search)[number];
export type IsValue = (typeof isValues)[number];

const operators = new Set<string>([...quantifiable, ...simple, ...search, 'in', 'is', 'isdistinct']);

/** Where a condition applies: `author.books` in `author.books.title=eq.x`; empty for the request's own table. */
export type EmbedPath = readonly string[];

/** Counts conditions over a whole request. */
export class FilterBudget {
  #used = 0;

  spend(): void {
    this.#used += 1;
    if (this.#used > limits.filters) throw limitError('filters', limits.filters);
  }
}

const operatorPattern = /[a-z]+/y;
const quantifierPattern = /\((?:any|all)\)/y;
const nameStart = /^[\p{L}\p{N}_$"]$/u;
const languagePattern = /\([\p{L}\p{N}_$ ]+\)/uy;

/** Whether `value` begins like a filter, as opposed to being the argument of a function. */
export function looksLikeOperation(value: string): boolean {
  const match = /^(?:not\.)?([a-z]+)(?:\([\p{L}\p{N}_$ ]+\))?\./u.exec(value);
  return match !== null && operators.has(match[1]!);
}

/** Parses `author.name->>first` into the embedded table it is about and the field. */
export function parseFieldPath(name: string): { path: EmbedPath; field: Field } {
  const reader = new Reader(name, 'tree path');
  const names = [readName(reader)];
  while (reader.take('.')) names.push(readName(reader));
  const jsonPath = readJsonPath(reader);
  if (!reader.atEnd) reader.fail('".", "->" or end of input');
  return { path: names.slice(0, -1), field: { column: names.at(-1)!, jsonPath } };
}

/** Parses the value of a filter parameter: `not.eq.5`. */
export function parseOperation(value: string): Pick<FilterCondition, 'negated' | 'operation'> {
  const reader = new Reader(value, 'filter');
  const parsed = readOperation(reader, () => reader.rest());
  if (!reader.atEnd) reader.fail('end of input');
  return parsed;
}

/**
 * Parses a logic parameter: `or=(age.lt.18,not.and(age.gt.65,city.eq.Rome))`. The name may go through
 * embedded tables and be negated: `author.not.or`.
 */
export function parseLogic(
  name: string,
  value: string,
  budget: FilterBudget,
): { path: EmbedPath; condition: LogicCondition } {
  const names = name.split('.');
  const operator = names.pop() as 'and' | 'or';
  const negated = names.includes('not');
  // What follows the last bracket is passed over, as PostgREST does.
  const before = negated ? `not.${operator}` : operator;
  const conditions = readConditions(new Reader(value, 'logic tree', before.length), budget, 0);
  const path = names.filter((part) => part !== 'not').map(unquotedName);
  return { path, condition: { kind: 'logic', operator, negated, conditions } };
}

function unquotedName(text: string): string {
  const reader = new Reader(text, 'logic path');
  const name = readName(reader);
  if (!reader.atEnd) reader.fail('"."');
  return name;
}

function readConditions(reader: Reader, budget: FilterBudget, depth: number): Condition[] {
  if (depth > limits.logicDepth) throw limitError('levels of and() and or()', limits.logicDepth);
  const conditions: Condition[] = [];
  reader.skipSpace();
  reader.expect('(');
  do {
    reader.skipSpace();
    conditions.push(readLogic(reader, budget, depth) ?? readFilter(reader, budget));
    reader.skipSpace();
  } while (reader.take(','));
  reader.expect(')');
  reader.skipSpace();
  return conditions;
}

function readLogic(reader: Reader, budget: FilterBudget, depth: number): LogicCondition | undefined {
  return reader.attempt(() => {
    const negated = reader.take('not.');
    const operator = reader.take('and') ? 'and' : reader.take('or') ? 'or' : undefined;
    reader.skipSpace();
    if (!operator || reader.next !== '(') return undefined;
    return { kind: 'logic', operator, negated, conditions: readConditions(reader, budget, depth + 1) };
  });
}

function readFilter(reader: Reader, budget: FilterBudget): FilterCondition {
  budget.spend();
  if (!nameStart.test(reader.next)) {
    reader.fail('field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)');
  }
  const field = readField(reader);
  reader.expect('.');
  return { kind: 'filter', field, ...readOperation(reader, () => readDelimitedValue(reader)) };
}

function readOperation(
  reader: Reader,
  readValue: () => string,
): Pick<FilterCondition, 'negated' | 'operation'> {
  const negated = reader.take('not.');
  const start = reader.position;
  const name = reader.match(operatorPattern) ?? '';
  const operation = operationOf(reader, name, readValue);
  if (operation) return { negated, operation };
  reader.position = start;
  return reader.fail('"not" or operator (eq, gt, ...)');
}

function operationOf(reader: Reader, name: string, readValue: () => string): Operation | undefined {
  if (name === 'in' && reader.take('.')) return { kind: 'in', values: readList(reader) };
  if (name === 'is' && reader.take('.')) return { kind: 'is', value: readIsValue(reader) };
  if (name === 'isdistinct' && reader.take('.')) return { kind: 'isdistinct', value: readValue() };
  if (includes(search, name)) {
    const language = reader.match(languagePattern)?.slice(1, -1).trim();
    if (!reader.take('.')) return undefined;
    return { kind: 'search', operator: name, language, value: readValue() };
  }
  if (includes(quantifiable, name)) {
    const quantifier = reader.match(quantifierPattern)?.slice(1, -1) as 'any' | 'all' | undefined;
    if (!reader.take('.')) return undefined;
    return { kind: 'compare', operator: name, ...(quantifier && { quantifier }), value: readValue() };
  }
  if (includes(simple, name) && reader.take('.')) {
    return { kind: 'compare', operator: name, value: readValue() };
  }
  return undefined;
}

function includes<T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}

function readIsValue(reader: Reader): IsValue {
  const word = reader.match(/[a-z_]+/iy)?.toLowerCase() ?? '';
  if (!includes(isValues, word)) reader.fail('null, not_null, true, false or unknown');
  return word;
}

function readList(reader: Reader): string[] {
  const values: string[] = [];
  reader.skipSpace();
  reader.expect('(');
  reader.skipSpace();
  do {
    values.push(readElement(reader) ?? reader.match(/[^,)]*/y) ?? '');
    if (values.length > limits.listElements) throw limitError('values in a list', limits.listElements);
  } while (reader.take(','));
  reader.expect(')');
  reader.skipSpace();
  // `in.()` is the empty list, not a list of one empty text.
  return values.length === 1 && values[0] === '' ? [] : values;
}

/** Inside `or=()` a value ends at a comma or a bracket unless it is in quotes or a `{…}` array. */
function readDelimitedValue(reader: Reader): string {
  return readElement(reader) ?? readArrayLiteral(reader) ?? reader.match(/[^,)]*/y) ?? '';
}

function readElement(reader: Reader): string | undefined {
  const quoted = reader.match(/"(?:[^"\\]|\\.)*"(?=[,)]|$)/sy);
  return quoted?.slice(1, -1).replace(/\\(.)/gs, '$1');
}

function readArrayLiteral(reader: Reader): string | undefined {
  return reader.match(/\{[^{}]*\}/y);
}
