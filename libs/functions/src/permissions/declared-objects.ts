import { columnKinds, columnProblems, type ColumnKind } from '#libs/events';
import type { Sql } from '#libs/platform';
import { subscribedTables } from '../manifest/subscriptions.js';
import type { Manifest } from '../manifest/manifest.js';

/** What the project's database has of the names that a manifest declares. */
export interface DeclaredObjects {
  /** By `schema.name`. */
  readonly tables: ReadonlyMap<string, DeclaredTable>;
  /** `schema.name` of a database function → its overloads, `schema.name(argument types)`. */
  readonly overloads: ReadonlyMap<string, readonly string[]>;
}

interface DeclaredTable {
  /** Views and foreign tables cannot have row policies. */
  readonly canHavePolicies: boolean;
  /** A partitioned table's changes are told of its partitions, so only a plain table can be subscribed to. */
  readonly canBeWatched: boolean;
  readonly columns: ReadonlyMap<string, ColumnKind>;
  /** The sequences that its columns' defaults draw from, `schema.name`. */
  readonly sequences: readonly string[];
}

export async function findDeclaredObjects(tx: Sql, manifest: Manifest): Promise<DeclaredObjects> {
  const tables = [...Object.keys(manifest.permissions.tables), ...subscribedTables(manifest)];
  return {
    tables: await findTables(tx, tables),
    overloads: await findOverloads(tx, manifest.permissions.rpc),
  };
}

const migrationsFirst =
  '; it would come from a migration, which `galley deploy <folder>` applies before it deploys';

/** What is declared and is not there: a permission that silently grants nothing would fail only later, and elsewhere. */
export function missingObjects(manifest: Manifest, { tables, overloads }: DeclaredObjects): string[] {
  return [
    ...Object.keys(manifest.permissions.tables)
      .filter((name) => !tables.has(name))
      .map((name) => `permissions.tables: there is no table or view ${name}${migrationsFirst}`),
    ...subscribedTables(manifest)
      .filter((name) => !tables.get(name)?.canBeWatched)
      .map((name) => `on: there is no table ${name} whose rows could be watched${migrationsFirst}`),
    ...manifest.on.flatMap((on, i) => {
      const columns = tables.get(on.table ?? '')?.columns;
      return columns ? columnProblems(on, columns).map((problem) => `on[${i}].${problem}`) : [];
    }),
    ...manifest.permissions.rpc
      .filter((name) => !overloads.has(name))
      .map((name) => `permissions.rpc: there is no database function ${name}${migrationsFirst}`),
  ];
}

async function findTables(tx: Sql, names: readonly string[]): Promise<Map<string, DeclaredTable>> {
  if (names.length === 0) return new Map();
  const { rows } = await tx.query<
    Omit<DeclaredTable, 'columns'> & { name: string; columns: [string, ColumnKind][] }
  >(
    `select n.nspname || '.' || c.relname as name, c.relkind in ('r', 'p') as "canHavePolicies",
       c.relkind = 'r' as "canBeWatched", ${columnKinds} as columns, array(
       select sn.nspname || '.' || s.relname
       from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S'
         join pg_namespace sn on sn.oid = s.relnamespace
       where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
         and d.refobjid = c.oid and d.deptype = 'a') as sequences
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname || '.' || c.relname = any($1::text[]) and c.relkind in ('r', 'p', 'v', 'm', 'f')`,
    [names],
  );
  return new Map(rows.map(({ name, columns, ...table }) => [name, { ...table, columns: new Map(columns) }]));
}

async function findOverloads(tx: Sql, names: readonly string[]): Promise<Map<string, string[]>> {
  if (names.length === 0) return new Map();
  const { rows } = await tx.query<{ name: string; overloads: string[] }>(
    `select n.nspname || '.' || p.proname as name,
       array_agg(n.nspname || '.' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')') as overloads
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname || '.' || p.proname = any($1::text[]) and p.prokind = 'f' group by 1`,
    [names],
  );
  return new Map(rows.map((row) => [row.name, row.overloads]));
}
