import type { EmbedPlan, PlannedColumn, PlannedOrder, RowsPlan } from './plan.js';

/** The columns that a plan reads of its own rows: what a change has to return for it. */
export function columnsRead(rows: RowsPlan): { names: Set<string>; allColumns: boolean } {
  const names = new Set<string>();
  for (const name of rows.columns.flatMap(ofColumn)) names.add(name);
  for (const name of rows.order.flatMap(ofOrder)) names.add(name);
  for (const name of rows.embeds.flatMap(ofEmbed)) names.add(name);
  const allColumns =
    rows.columns.some((column) => column.kind === 'star') ||
    // A function takes the whole row.
    rows.embeds.some((embed) => embed.relationship.kind === 'computed');
  return { names, allColumns };
}

function ofColumn(column: PlannedColumn): string[] {
  return column.kind === 'value' && column.field ? [column.field.column] : [];
}

function ofOrder({ embed, field }: PlannedOrder): string[] {
  return embed ? [] : [field.column];
}

function ofEmbed({ relationship }: EmbedPlan): string[] {
  return relationship.kind === 'key' ? relationship.columns.map(([own]) => own) : [];
}
