import { mismatchOf, parseConditions, type ColumnKind } from './row-condition.js';

/** What a subscription names of the columns of its table. */
interface NamesColumns {
  readonly table?: string | undefined;
  readonly columns?: readonly string[] | undefined;
  readonly when?: Readonly<Record<string, string>> | undefined;
  readonly ordering_key?: string | undefined;
}

/** What of it could never match the rows of its table, by key. */
export function columnProblems(on: NamesColumns, columns: ReadonlyMap<string, ColumnKind>): string[] {
  const { conditions } = parseConditions(on.when ?? {});
  const named: [key: string, column: string][] = [
    ...(on.columns ?? []).map((column): [string, string] => ['columns', column]),
    ...conditions.map(({ column }): [string, string] => ['when', column]),
    ...(on.ordering_key === undefined ? [] : [['ordering_key', on.ordering_key] as [string, string]]),
  ];
  return [
    ...named
      .filter(([, column]) => !columns.has(column))
      .map(
        ([key, column]) =>
          `${key}: ${on.table} has no column "${column}"; it has ${[...columns.keys()].join(', ')}`,
      ),
    ...conditions.flatMap((condition) => {
      const kind = columns.get(condition.column);
      const mismatch = kind && mismatchOf(condition, kind);
      return mismatch ? [`when.${condition.column}: ${mismatch}`] : [];
    }),
  ];
}

/** Of relation `c`, in SQL: its columns and what they are in JSON, as JSON of pairs. */
export const columnKinds = `coalesce((
  select json_agg(json_build_array(a.attname, case
      when b.typname in ('int2', 'int4', 'int8', 'numeric', 'float4', 'float8') then 'number'
      when b.typname = 'bool' then 'boolean'
      when b.typname = 'date' then 'date'
      when b.typname in ('text', 'varchar', 'bpchar', 'name', 'citext', 'uuid') or b.typtype = 'e' then 'text'
      else 'other' end) order by a.attnum)
  from pg_attribute a join pg_type t on t.oid = a.atttypid
    join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]')`;
