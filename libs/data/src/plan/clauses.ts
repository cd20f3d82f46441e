import { pgrstError } from '../errors.js';
import type { ApiRequest, At } from '../request/api-request.js';
import type { Condition } from '../request/filter.js';
import type { OrderTerm } from '../request/order.js';
import type { RowRange } from '../request/range.js';
import type { SelectEmbed } from '../request/select.js';

/** What is said of one table of the request and, under their names, of those embedded in it. */
export interface Clauses {
  readonly conditions: readonly At<Condition>[];
  readonly orders: readonly At<readonly OrderTerm[]>[];
  readonly ranges: readonly At<RowRange>[];
}

/** The clauses of a request, with its own range at the empty path. */
export function clausesOf(request: ApiRequest): Clauses {
  return {
    conditions: request.conditions,
    orders: request.orders,
    ranges: [{ path: [], value: request.range }, ...request.embedRanges],
  };
}

/** What is said of the table itself. */
export function own<T>(list: readonly At<T>[]): T[] {
  return list.filter((at) => at.path.length === 0).map((at) => at.value);
}

/**
 * Hands each embedded table what is said of it, the paths shortened by its name.
 * @throws AppError PGRST108 for a name that is none of theirs
 */
export function splitByEmbed(clauses: Clauses, items: readonly SelectEmbed[]): Clauses[] {
  const split = <T>(list: readonly At<T>[]): At<T>[][] => {
    const parts: At<T>[][] = items.map(() => []);
    for (const { path, value } of list) {
      const [head, ...rest] = path;
      if (head !== undefined) parts[embedIndex(items, head)]!.push({ path: rest, value });
    }
    return parts;
  };
  const conditions = split(clauses.conditions);
  const orders = split(clauses.orders);
  const ranges = split(clauses.ranges);
  return items.map((_, i) => ({ conditions: conditions[i]!, orders: orders[i]!, ranges: ranges[i]! }));
}

function embedIndex(items: readonly SelectEmbed[], name: string): number {
  const byName = items.findIndex((item) => (item.alias ?? item.relation) === name);
  if (byName !== -1) return byName;
  const byRelation = items.findIndex((item) => item.relation === name);
  if (byRelation !== -1) return byRelation;
  throw notEmbedded(name);
}

export function notEmbedded(name: string) {
  return pgrstError('PGRST108', {
    message: `'${name}' is not an embedded resource in this request`,
    hint: `Verify that '${name}' is included in the 'select' query parameter.`,
  });
}
