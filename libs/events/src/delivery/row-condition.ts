/** One column's part of a subscription's `when`. */
export interface RowCondition {
  readonly column: string;
  readonly operator: RowOperator;
  readonly negated: boolean;
  readonly operands: readonly string[];
}

const ordering = ['gt', 'gte', 'lt', 'lte'] as const;
const patterns = ['like', 'ilike'] as const;
const operators = ['eq', 'neq', ...ordering, 'in', 'is', ...patterns] as const;
type RowOperator = (typeof operators)[number];

/** What `to_jsonb` makes of a column's type, as far as comparing is concerned. */
export type ColumnKind = 'number' | 'boolean' | 'text' | 'date' | 'other';

const isValues = ['null', 'not_null', 'true', 'false'];
const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i;

/**
 * Reads conditions as `when = { status = "eq.paid", amount = "gt.100" }` writes them: PostgREST's filters, with its
 * operators eq, neq, gt, gte, lt, lte, in, is, like and ilike (`*` stands for any text), each also after `not.`. All of
 * them must hold. They are data: nothing of them is ever SQL.
 *
 * @returns the conditions, or by column what is wrong
 */
export function parseConditions(when: Readonly<Record<string, string>>): {
  conditions: RowCondition[];
  problems: Map<string, string>;
} {
  const conditions: RowCondition[] = [];
  const problems = new Map<string, string>();
  for (const [column, text] of Object.entries(when)) {
    const condition = parseCondition(column, text);
    if (typeof condition === 'string') problems.set(column, condition);
    else conditions.push(condition);
  }
  return { conditions, problems };
}

function parseCondition(column: string, text: string): RowCondition | string {
  const match = /^(not\.)?([a-z]+)\.(.*)$/s.exec(text);
  const operator = operators.find((one) => one === match?.[2]);
  if (!match || !operator)
    return `expected "<operator>.<value>", such as "eq.paid"; operators are ${operators.join(', ')}, each also after "not."`;
  const operands = operandsOf(operator, match[3]!);
  if (typeof operands === 'string') return operands;
  return { column, operator, negated: match[1] !== undefined, operands };
}

function operandsOf(operator: RowOperator, value: string): string[] | string {
  if (operator === 'is') return isValues.includes(value) ? [value] : `expected is.${isValues.join(', is.')}`;
  if (isPattern(operator)) return [value.replaceAll('*', '%')];
  if (operator !== 'in') return [value];
  const items = /^\(.*\)$/s.test(value) ? listItems(value.slice(1, -1)) : undefined;
  return items ?? 'expected in.(one,two,"with, comma")';
}

/** `a,"b, c"` → `['a', 'b, c']`; in quotes a backslash takes the next character as it is. */
function listItems(text: string): string[] | undefined {
  const items: string[] = [];
  const item = /\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*?))\s*(,|$)/sy;
  for (;;) {
    const match = item.exec(text);
    if (!match) return undefined;
    items.push(match[1]?.replace(/\\(.)/gs, '$1') ?? match[2]!);
    if (match[3] === '') return items;
  }
}

/** Why a condition can never be asked of a column of that kind; undefined when it can. */
export function mismatchOf({ operator, operands }: RowCondition, kind: ColumnKind): string | undefined {
  if (operator === 'is') {
    const isTruth = operands[0] === 'true' || operands[0] === 'false';
    return isTruth && kind !== 'boolean' ? 'the column is not a boolean' : undefined;
  }
  if (kind === 'other') return 'of a column of this type only "is.null" and "is.not_null" can be asked';
  if (isPattern(operator)) return kind === 'text' ? undefined : `${operator} is for columns of text`;
  if (isOrdering(operator) && kind === 'boolean') return `${operator} is for numbers, dates and text`;
  const expected = operandFormats[kind];
  const wrong = operands.find((operand) => expected && !expected.pattern.test(operand));
  return wrong === undefined ? undefined : `expected ${expected!.name}, not "${wrong}"`;
}

const operandFormats: Record<Exclude<ColumnKind, 'other'>, { name: string; pattern: RegExp } | undefined> = {
  number: { name: 'a number', pattern: decimal },
  boolean: { name: 'true or false', pattern: /^(true|false)$/ },
  date: { name: 'a date like 2026-01-31', pattern: /^\d{4}-\d{2}-\d{2}$/ },
  text: undefined,
};

function isPattern(operator: RowOperator): boolean {
  return (patterns as readonly string[]).includes(operator);
}

function isOrdering(operator: RowOperator): boolean {
  return (ordering as readonly string[]).includes(operator);
}
