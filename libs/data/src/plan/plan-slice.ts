import { pgrstError } from '../errors.js';
import type { ApiRequest } from '../request/api-request.js';
import type { SelectItem } from '../request/select.js';
import type { Table } from '../schema-cache/schema-cache.js';
import { Aliases } from './aliases.js';
import { planRows, type Grounds } from './plan-rows.js';
import type { Slice } from './plan.js';

/**
 * Which of the rows that match are changed, where `limit` or `offset` say so (postgrest.org, v12, "Limited
 * Updates/Deletions"; later versions pass over both and change all). They are told by their primary key, or by what
 * they are ordered by where there is none.
 * @throws AppError PGRST109 without an order, by which it would be left to chance
 */
export function planSlice(request: ApiRequest, grounds: Grounds, table: Table): Slice | undefined {
  const { range } = request;
  if (range.offset === 0 && range.limit === undefined) return undefined;
  const orders = request.orders.filter((at) => at.path.length === 0);
  const ordered = orders.flatMap((at) => at.value.map((term) => term.field.column));
  if (ordered.length === 0) {
    throw pgrstError('PGRST109', {
      message: "A 'limit' was applied without an explicit 'order'",
      hint: "Apply an 'order' using unique column(s)",
    });
  }
  const keys = table.primaryKey.length > 0 ? table.primaryKey : [...new Set(ordered)];
  const aliases = new Aliases(table.name);
  const rows = planRows(
    { ...grounds, aliases },
    {
      table,
      fromSource: false,
      alias: aliases.root,
      items: keys.map(columnItem),
      clauses: {
        conditions: request.conditions.filter((at) => at.path.length === 0),
        orders,
        ranges: [{ path: [], value: range }],
      },
    },
  );
  return { keys, rows };
}

function columnItem(column: string): SelectItem {
  const field = { column, jsonPath: [] };
  return { kind: 'field', field, alias: undefined, cast: undefined, aggregate: undefined };
}
