import type { Sql } from '#libs/platform';
import type { QualifiedName } from './schema-cache.js';
import { viewColumnOrigins } from './view-column-origins.js';

/** A column of a view that shows a column of a table unchanged. */
export interface ViewColumn {
  readonly view: QualifiedName;
  readonly column: string;
  readonly table: QualifiedName;
  readonly tableColumn: string;
}

interface ViewRow extends QualifiedName {
  oid: number;
  rule: string;
}

interface AttributeRow extends QualifiedName {
  oid: number;
  number: number;
  column: string;
}

/** Which columns of the views of `schemas` stand for which table's columns, through views on views. */
export async function loadViewColumns(tx: Sql, schemas: readonly string[]): Promise<ViewColumn[]> {
  const { rows: views } = await tx.query<ViewRow>(viewsText);
  const origins = new Map(views.map((view) => [view.oid, viewColumnOrigins(view.rule)]));
  const tables = new Set([...origins.values()].flat().map((origin) => origin.table));
  const { rows } = await tx.query<AttributeRow>(attributesText, [[...origins.keys(), ...tables]]);
  const attributes = new Map(rows.map((row) => [`${row.oid}.${row.number}`, row]));
  const columns: ViewColumn[] = [];
  for (const view of views.filter((row) => schemas.includes(row.schema))) {
    for (const { number } of origins.get(view.oid) ?? []) {
      const base = followToTable(view.oid, number, origins);
      const own = attributes.get(`${view.oid}.${number}`);
      const target = base && attributes.get(`${base.table}.${base.column}`);
      if (!own || !target) continue;
      columns.push({
        view: { schema: view.schema, name: view.name },
        column: own.column,
        table: { schema: target.schema, name: target.name },
        tableColumn: target.column,
      });
    }
  }
  return columns;
}

type Origins = ReadonlyMap<number, ReturnType<typeof viewColumnOrigins>>;

function followToTable(view: number, number: number, origins: Origins) {
  let found = origins.get(view)?.find((origin) => origin.number === number);
  // Views that were replaced to select from each other lead round in a circle: such a column has no table.
  const visited = new Set([view]);
  while (found && origins.has(found.table)) {
    const { table, column } = found;
    if (visited.has(table)) return undefined;
    visited.add(table);
    found = origins.get(table)!.find((origin) => origin.number === column);
  }
  return found;
}

const viewsText = `
  select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name, r.ev_action::text as rule
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_rewrite r on r.ev_class = c.oid and r.rulename = '_RETURN'
  where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')`;

const attributesText = `
  select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name,
    a.attnum as number, a.attname as column
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped`;
