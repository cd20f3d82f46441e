import type { EmbedPlan } from '../plan/plan.js';
import type { RowRange } from '../request/range.js';
import type { Parameters } from './sql-query.js';

export function rangeSql({ limit, offset }: RowRange, parameters: Parameters): string {
  const limited = limit === undefined ? '' : ` limit ${parameters.add(limit)}`;
  return offset === 0 ? limited : `${limited} offset ${parameters.add(offset)}`;
}

/** Of a to-one table the limit is part of the text: with it PostgreSQL knows that there is one row. */
export function relatedRangeSql(embed: EmbedPlan, parameters: Parameters): string {
  const { range } = embed.rows;
  if (!embed.toOne || range.limit === undefined) return rangeSql(range, parameters);
  // What is joined without a limit can be joined in any way; a key leads to one row of a table.
  if (embed.spread && range.offset === 0 && range.limit === 1 && isUnique(embed)) return '';
  return ` limit ${range.limit}${rangeSql({ ...range, limit: undefined }, parameters)}`;
}

function isUnique({ relationship }: EmbedPlan): boolean {
  return relationship.kind === 'key' && !relationship.toIsView;
}
