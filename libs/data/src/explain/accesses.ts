import type { EmbedPlan, MutatePlan, PlannedCondition, ReadPlan, RowsPlan } from '../plan/plan.js';
import { columnsRead } from '../plan/columns-read.js';
import { nameKey, type QualifiedName } from '../schema-cache/schema-cache.js';

/** What row-level security and grants are asked about. */
export type Command = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

/** That a statement does something with a table or view. */
export interface Access extends QualifiedName {
  readonly command: Command;
  /** Columns it needs the right to; null: all of them. */
  readonly columns: readonly string[] | null;
}

/** Everything that `plan` does with tables, each command of a table once, those of its own table first. */
export function accessesOf(plan: ReadPlan | MutatePlan): Access[] {
  const merged = new Map<string, Access>();
  for (const access of ofPlan(plan)) {
    const key = `${access.command} ${nameKey(access.schema, access.name)}`;
    const known = merged.get(key)?.columns;
    const columns = known === null || access.columns === null ? null : [...(known ?? []), ...access.columns];
    merged.set(key, { ...access, columns });
  }
  return [...merged.values()];
}

function ofPlan(plan: ReadPlan | MutatePlan): Access[] {
  if (plan.kind === 'read') return ofRows(plan.rows, plan.rows.from!, []);
  return [...ofChange(plan), ...(plan.output ? ofEmbeds(plan.rows) : [])];
}

function ofRows(rows: RowsPlan, table: QualifiedName, tied: readonly string[]): Access[] {
  const { names, allColumns } = columnsRead(rows);
  const columns = allColumns ? null : [...names, ...tied, ...rows.where.flatMap(columnsOf)];
  return [accessTo(table, 'SELECT', columns), ...ofEmbeds(rows)];
}

function ofEmbeds({ embeds, order }: RowsPlan): Access[] {
  return embeds.flatMap((embed) => {
    const ordering = order.filter((term) => term.embed === embed && !term.isSpread);
    return ofEmbed(
      embed,
      ordering.map((term) => term.field.column),
    );
  });
}

/** @param read  columns that the rows it is embedded in are ordered by */
function ofEmbed({ relationship, rows }: EmbedPlan, read: readonly string[]): Access[] {
  const { to } = relationship;
  // The function that gives the rows may have them from anywhere, and with other rights than the caller's.
  if (relationship.kind === 'computed') return ofEmbeds(rows);
  const { junction, columns } = relationship;
  if (!junction) return ofRows(rows, to, [...read, ...columns.map(secondOf)]);
  const ofJunction = [...columns.map(secondOf), ...junction.columns.map(([own]) => own)];
  return [
    accessTo(junction.table, 'SELECT', ofJunction),
    ...ofRows(rows, to, [...read, ...junction.columns.map(secondOf)]),
  ];
}

function ofChange({ table, change, returning }: MutatePlan): Access[] {
  const read = new Set(returning.columns);
  const accesses: Access[] = [];
  if (change.kind === 'insert' || change.kind === 'upsert') {
    const columns = change.columns.map((column) => column.name);
    accesses.push(accessTo(table, 'INSERT', columns));
    for (const name of change.onConflict?.columns ?? []) read.add(name);
    if (change.onConflict?.resolution === 'merge-duplicates')
      accesses.push(accessTo(table, 'UPDATE', columns));
  } else {
    const columns = change.kind === 'update' ? change.columns.map((column) => column.name) : [];
    accesses.push(accessTo(table, change.kind === 'update' ? 'UPDATE' : 'DELETE', columns));
    for (const name of [...change.where.flatMap(columnsOf), ...(change.slice?.keys ?? [])]) read.add(name);
  }
  if (returning.allColumns) accesses.push(accessTo(table, 'SELECT', null));
  else if (read.size > 0) accesses.push(accessTo(table, 'SELECT', [...read]));
  return accesses;
}

function accessTo({ schema, name }: QualifiedName, command: Command, columns: Access['columns']): Access {
  return { schema, name, command, columns };
}

function columnsOf(condition: PlannedCondition): string[] {
  switch (condition.kind) {
    case 'filter':
      return [condition.field.column];
    case 'logic':
      return condition.conditions.flatMap(columnsOf);
    case 'embedded':
      return [];
  }
}

function secondOf([, second]: readonly [string, string]): string {
  return second;
}
