import type { Sql } from '#libs/platform';

/** What a database's catalogues say of some schemas, as types are made of it. */
export interface Catalogue {
  readonly relations: readonly Relation[];
  readonly columns: readonly RelationColumn[];
  readonly functions: readonly CatalogueFunction[];
  /** Of the whole database. */
  readonly types: readonly CatalogueType[];
}

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'foreign table' | 'view' | 'materialized view';
  /** Rows of the view can be updated and deleted. */
  readonly isUpdatable: boolean;
}

export interface RelationColumn {
  readonly relation: number;
  readonly name: string;
  /** Name of the type, or of the type that a domain is over. */
  readonly format: string;
  readonly isNullable: boolean;
  readonly identity: 'always' | 'by default' | null;
  readonly hasDefault: boolean;
  readonly isUpdatable: boolean;
}

export interface CatalogueFunction {
  readonly schema: string;
  readonly name: string;
  /** With those of OUT and TABLE, in their order. */
  readonly args: readonly FunctionArgument[];
  readonly argumentTypes: string;
  readonly returnType: string;
  readonly returnTypeOid: number;
  /** The relation or composite type that is returned. */
  readonly returnRelation: number | null;
  readonly isSet: boolean;
  /** How many rows a set is estimated to have. */
  readonly rows: number;
}

export interface FunctionArgument {
  readonly name: string;
  readonly mode: 'in' | 'out' | 'inout' | 'variadic' | 'table';
  readonly typeOid: number;
  readonly hasDefault: boolean;
}

export interface CatalogueType {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** As SQL names it. */
  readonly format: string;
  readonly enumValues: readonly string[];
  /** Of a composite type that is no relation's row. */
  readonly attributes: readonly { readonly name: string; readonly typeOid: number }[];
  /** The relation or composite type whose rows it is. */
  readonly relation: number | null;
}

export async function loadCatalogue(tx: Sql, schemas: readonly string[]): Promise<Catalogue> {
  const read = async <Row extends object>(text: string, values: unknown[] = [schemas]) =>
    (await tx.query<Row>(text, values)).rows;
  return {
    relations: await read<Relation>(relationsText),
    columns: await read<RelationColumn>(columnsText),
    functions: await read<CatalogueFunction>(functionsText),
    types: await read<CatalogueType>(typesText, []),
  };
}

// Bits of pg_relation_is_updatable: 4 for UPDATE, 16 for DELETE.
const relationsText = `
  select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name,
    case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end
      as kind,
    c.relkind = 'v' and pg_relation_is_updatable(c.oid, false) & 20 = 20 as "isUpdatable"
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f', 'v', 'm') and n.nspname = any($1)`;

const columnsText = `
  select c.oid::int8::float8 as relation, a.attname as name, coalesce(base.typname, t.typname) as format,
    not (a.attnotnull or t.typtype = 'd' and t.typnotnull) as "isNullable",
    case a.attidentity when 'a' then 'always' when 'd' then 'by default' end as identity,
    a.atthasdef as "hasDefault",
    c.relkind in ('r', 'p') or c.relkind in ('v', 'f') and pg_column_is_updatable(c.oid, a.attnum, false)
      as "isUpdatable"
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_class c on c.oid = a.attrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_type base on t.typtype = 'd' and base.oid = t.typbasetype
  where c.relkind in ('r', 'p', 'f', 'v', 'm') and n.nspname = any($1) and a.attnum > 0 and not a.attisdropped`;

// The last \`pronargdefaults\` of the input parameters have a default.
const functionsText = `
  select n.nspname as schema, p.proname as name,
    pg_get_function_arguments(p.oid) as "argumentTypes", pg_get_function_result(p.oid) as "returnType",
    p.prorettype::int8::float8 as "returnTypeOid", nullif(t.typrelid, 0)::int8::float8 as "returnRelation",
    p.proretset as "isSet", p.prorows as rows,
    (select coalesce(json_agg(json_build_object(
        'name', coalesce(arg.name, ''),
        'mode', arg.mode,
        'typeOid', arg.type::int8,
        'hasDefault', arg.is_input and arg.inputs > p.pronargs - p.pronargdefaults) order by arg.position), '[]')
      from (
        select declared.name, declared.type, declared.position, m.mode, m.is_input,
          count(*) filter (where m.is_input) over (order by declared.position) as inputs
        from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
          with ordinality as declared (type, name, mode, position)
        cross join lateral (
          select case coalesce(declared.mode, 'i')
              when 'i' then 'in' when 'o' then 'out' when 'b' then 'inout' when 'v' then 'variadic' else 'table' end,
            coalesce(declared.mode, 'i') in ('i', 'b', 'v')
        ) as m (mode, is_input)
      ) as arg) as args
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_type t on t.oid = p.prorettype
  where p.prokind = 'f' and n.nspname = any($1)
    and p.prorettype not in ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype)`;

const typesText = `
  select t.oid::int8::float8 as oid, n.nspname as schema, t.typname as name, format_type(t.oid, null) as format,
    (select coalesce(json_agg(enumlabel order by enumsortorder), '[]')
      from pg_catalog.pg_enum where enumtypid = t.oid) as "enumValues",
    (select coalesce(json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::int8) order by a.attnum), '[]')
      from pg_catalog.pg_attribute a
      where a.attrelid = t.typrelid and c.relkind = 'c' and a.attnum > 0 and not a.attisdropped) as attributes,
    nullif(t.typrelid, 0)::int8::float8 as relation
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  left join pg_catalog.pg_class c on c.oid = t.typrelid
  where t.typrelid = 0 or c.relkind in ('c', 'r', 'v', 'm', 'p')`;
