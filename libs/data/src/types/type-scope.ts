import type { Catalogue, CatalogueType, Relation, RelationColumn } from './catalogue.sql.js';
import { array, stringLiteral, union, type Member, type Node } from './layout.js';

const plainTypes = new Map<string, string>([
  ['bool', 'boolean'],
  ...['int2', 'int4', 'int8', 'float4', 'float8', 'numeric'].map((name) => [name, 'number'] as const),
  ...[
    ['bytea', 'bpchar', 'varchar', 'date', 'text', 'citext', 'time', 'timetz', 'timestamp', 'timestamptz'],
    ['uuid', 'vector', 'interval'],
  ]
    .flat()
    .map((name) => [name, 'string'] as const),
  ['json', 'Json'],
  ['jsonb', 'Json'],
  ['void', 'undefined'],
  ['record', 'Record<string, unknown>'],
]);

/** Names the types of one database as TypeScript, for some of its schemas. */
export class TypeScope {
  readonly #types = new Map<number, CatalogueType>();
  readonly #byName = new Map<string, CatalogueType[]>();
  readonly #relations = new Map<number, Relation>();
  readonly #columns = new Map<number, RelationColumn[]>();

  constructor(
    catalogue: Catalogue,
    /** Those whose types the result has. */
    private readonly schemas: readonly string[],
  ) {
    for (const type of catalogue.types) {
      this.#types.set(type.oid, type);
      this.#byName.set(type.name, [...(this.#byName.get(type.name) ?? []), type]);
    }
    for (const relation of catalogue.relations) {
      this.#relations.set(relation.oid, relation);
      this.#columns.set(relation.oid, []);
    }
    for (const column of catalogue.columns) this.#columns.get(column.relation)?.push(column);
    for (const columns of this.#columns.values()) columns.sort((a, b) => a.name.localeCompare(b.name));
  }

  type(oid: number): CatalogueType | undefined {
    return this.#types.get(oid);
  }

  relation(oid: number): Relation | undefined {
    return this.#relations.get(oid);
  }

  /** By name. */
  columns(relation: number): readonly RelationColumn[] {
    return this.#columns.get(relation) ?? [];
  }

  ofOid(schema: string, oid: number): Node {
    const type = this.#types.get(oid);
    return type ? this.ofName(schema, type.name) : 'unknown';
  }

  /** The type that `schema` means by `name`; of several schemas that have one its own comes first. */
  ofName(schema: string, name: string): Node {
    const plain = plainTypes.get(name);
    if (plain !== undefined) return plain;
    if (name.startsWith('_')) return array(this.ofName(schema, name.slice(1)));
    const found = this.#byName.get(name) ?? [];
    return (
      this.#enum(schema, found) ?? this.#composite(schema, found) ?? this.#row(schema, found) ?? 'unknown'
    );
  }

  #enum(schema: string, types: readonly CatalogueType[]): Node | undefined {
    const type = preferred(
      schema,
      types.filter(({ enumValues }) => enumValues.length > 0),
    );
    if (!type) return undefined;
    return this.schemas.includes(type.schema)
      ? reference(type.schema, 'Enums', type.name)
      : union(type.enumValues.map(stringLiteral));
  }

  #composite(schema: string, types: readonly CatalogueType[]): Node | undefined {
    const type = preferred(
      schema,
      types.filter(({ attributes }) => attributes.length > 0),
    );
    if (!type) return undefined;
    return this.schemas.includes(type.schema)
      ? reference(type.schema, 'CompositeTypes', type.name)
      : 'unknown';
  }

  #row(schema: string, types: readonly CatalogueType[]): Node | undefined {
    const relations = types.flatMap(({ relation }) => this.#relations.get(relation ?? 0) ?? []);
    const table = preferred(
      schema,
      relations.filter(({ kind }) => kind === 'table'),
    );
    if (table) return `${reference(table.schema, 'Tables', table.name)}["Row"]`;
    const view = preferred(
      schema,
      relations.filter(({ kind }) => kind === 'view'),
    );
    return view && `${reference(view.schema, 'Views', view.name)}["Row"]`;
  }
}

function preferred<T extends { readonly schema: string }>(
  schema: string,
  found: readonly T[],
): T | undefined {
  return found.find((one) => one.schema === schema) ?? found[0];
}

function reference(schema: string, kind: string, name: string): string {
  return `Database[${stringLiteral(schema)}]["${kind}"][${stringLiteral(name)}]`;
}

/** `type`, or null. */
export function nullable(type: Node): Node {
  if (type === 'unknown') return type;
  return union([...(typeof type === 'object' && type.kind === 'union' ? type.of : [type]), 'null']);
}

/** A column as a member; `unknown` includes null. */
export function columnMember(
  scope: TypeScope,
  schema: string,
  { name, format }: RelationColumn,
  { isNullable, optional }: { isNullable: boolean; optional: boolean },
): Member {
  const type = scope.ofName(schema, format);
  return { name, optional, type: isNullable ? nullable(type) : type };
}
