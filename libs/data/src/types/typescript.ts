import type { ShownKey } from '../schema-cache/appearances.js';
import { accessors } from './accessors.js';
import type { Catalogue, CatalogueFunction, CatalogueType } from './catalogue.sql.js';
import { functionType, isCallable } from './function-types.js';
import {
  anyName,
  object,
  print,
  printMember,
  propertyName,
  stringLiteral,
  union,
  type Node,
} from './layout.js';
import { relationType } from './relation-types.js';
import { nullable, TypeScope } from './type-scope.js';

/** What a schema has, by name. */
interface SchemaParts {
  readonly tables: readonly (readonly [string, Node])[];
  readonly views: readonly (readonly [string, Node])[];
  readonly functions: readonly (readonly [string, Node])[];
  readonly enums: readonly CatalogueType[];
  readonly compositeTypes: readonly (readonly [string, Node])[];
}

/**
 * A TypeScript module with the types of `schemas`, as supabase-js takes them: what `supabase gen types` writes.
 * @param keys  foreign keys between tables and views
 */
export function typescriptOf(
  catalogue: Catalogue,
  keys: readonly ShownKey[],
  schemas: readonly string[],
  postgrestVersion: string,
): string {
  const scope = new TypeScope(catalogue, schemas);
  const parts = schemas
    .toSorted((a, b) => a.localeCompare(b))
    .map((schema) => [schema, partsOf(scope, catalogue, keys, schema)] as const);
  return [
    jsonType,
    `export type Database = {\n${internals(postgrestVersion)}${parts.map(schemaText).join('')}}\n`,
    accessors(),
    `export const Constants = {\n${parts.map(([schema, { enums }]) => constants(schema, enums)).join('')}} as const\n`,
  ].join('\n');
}

const jsonType = `export type Json =
  | string
  | number
  | boolean
  | null
  | { [key: string]: Json | undefined }
  | Json[]
`;

function internals(postgrestVersion: string): string {
  return `  // Allows to automatically instantiate createClient with right options
  // instead of createClient<Database, { PostgrestVersion: 'XX' }>(URL, KEY)
  __InternalSupabase: {
    PostgrestVersion: ${stringLiteral(postgrestVersion)}
  }
`;
}

function partsOf(
  scope: TypeScope,
  catalogue: Catalogue,
  keys: readonly ShownKey[],
  schema: string,
): SchemaParts {
  const here = <T extends { schema: string; name: string }>(list: readonly T[]) =>
    list.filter((one) => one.schema === schema).toSorted((a, b) => a.name.localeCompare(b.name));
  const functions = here(catalogue.functions).filter((called) => isCallable(scope, called));
  const relations = here(catalogue.relations);
  const types = here(catalogue.types);
  const isView = (kind: string) => kind === 'view' || kind === 'materialized view';
  const typed = (views: boolean) =>
    relations
      .filter(({ kind }) => isView(kind) === views)
      .map((relation) => [relation.name, relationType(scope, relation, functions, keys)] as const);
  return {
    tables: typed(false),
    views: typed(true),
    functions: [...byName(functions)].map(([name, overloads]) => [name, functionType(scope, overloads)]),
    enums: types.filter(({ enumValues }) => enumValues.length > 0),
    compositeTypes: types
      .filter(({ attributes }) => attributes.length > 0)
      .map((type) => [type.name, compositeType(scope, type)]),
  };
}

function byName(functions: readonly CatalogueFunction[]): Map<string, CatalogueFunction[]> {
  const groups = new Map<string, CatalogueFunction[]>();
  for (const called of functions) groups.set(called.name, [...(groups.get(called.name) ?? []), called]);
  return groups;
}

function compositeType(scope: TypeScope, { schema, attributes }: CatalogueType): Node {
  return object(
    attributes.map(({ name, typeOid }) => ({ name, type: nullable(scope.ofOid(schema, typeOid)) })),
  );
}

function schemaText([schema, parts]: readonly [string, SchemaParts]): string {
  const enums = parts.enums.map(
    ({ name, enumValues }) => [name, union(enumValues.map(stringLiteral))] as const,
  );
  const sections = [
    ['Tables', parts.tables],
    ['Views', parts.views],
    ['Functions', parts.functions],
    ['Enums', enums],
    ['CompositeTypes', parts.compositeTypes],
  ] as const;
  const members = sections.map(([name, list]) => ({ name, type: section(list) }));
  return printMember({ name: schema, type: object(members) }, 2);
}

function section(list: readonly (readonly [string, Node])[]): Node {
  if (list.length === 0) return object([{ name: anyName, type: 'never' }]);
  return object(list.map(([name, type]) => ({ name, type })));
}

/** The values of enums, for programs that run. */
function constants(schema: string, enums: readonly CatalogueType[]): string {
  const start = `  ${propertyName(schema)}: {\n    Enums: {`;
  if (enums.length === 0) return `${start}},\n  },\n`;
  const lines = enums.map(({ name, enumValues }) => {
    const key = `      ${propertyName(name)}: `;
    const values = { kind: 'tuple' as const, of: enumValues.map(stringLiteral) };
    // One column less: a comma follows.
    return `${key}${print(values, 6, key.length + 1)},\n`;
  });
  return `${start}\n${lines.join('')}    },\n  },\n`;
}
