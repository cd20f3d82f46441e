import { quoteIdent } from '#libs/platform';
import { bodyName } from '../plan/aliases.js';
import { memberOf, type RowsPayload } from '../request/payload.js';

/** A FROM item: what `rows` makes of the objects of a body, its columns by their names. */
export function recordSql(
  rows: string,
  columns: readonly { readonly name: string; readonly type: string }[],
  payload: RowsPayload,
): string {
  const members = columns.map(({ name }) => quoteIdent(memberOf(payload, name)));
  const record = `${rows} as ${bodyName} (${columns.map(({ type }, i) => `${members[i]} ${type}`).join(', ')})`;
  if (!payload.members) return record;
  const named = columns.map(({ name }, i) => `${members[i]} as ${quoteIdent(name)}`);
  return `(select ${named.join(', ')} from ${record}) as ${bodyName}`;
}
