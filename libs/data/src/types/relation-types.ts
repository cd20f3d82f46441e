import type { ShownKey } from '../schema-cache/appearances.js';
import type { CatalogueFunction, Relation, RelationColumn } from './catalogue.sql.js';
import { returnedType } from './function-types.js';
import { object, stringLiteral, tuple, type Member, type Node } from './layout.js';
import { columnMember, nullable, type TypeScope } from './type-scope.js';

/** A table or view: what its rows are, what is inserted and updated, and where its keys lead. */
export function relationType(
  scope: TypeScope,
  relation: Relation,
  functions: readonly CatalogueFunction[],
  keys: readonly ShownKey[],
): Node {
  const isTable = relation.kind === 'table' || relation.kind === 'foreign table';
  const columns = scope.columns(relation.oid);
  const members = (memberOf: (column: RelationColumn) => Member) => object(columns.map(memberOf));
  const row = object([
    ...columns.map((column) =>
      columnMember(scope, relation.schema, column, { isNullable: column.isNullable, optional: false }),
    ),
    ...computedColumns(scope, relation, functions),
  ]);
  const written = isTable ? tableColumn : viewColumn;
  const writes = isTable || relation.isUpdatable;
  return object([
    { name: 'Row', type: row },
    ...(writes
      ? [
          { name: 'Insert', type: members((column) => written(scope, relation, column, false)) },
          { name: 'Update', type: members((column) => written(scope, relation, column, true)) },
        ]
      : []),
    { name: 'Relationships', type: relationships(relation, keys) },
  ]);
}

/** Functions of a row are read like columns (postgrest.org, "Computed Fields"). */
function computedColumns(
  scope: TypeScope,
  relation: Relation,
  functions: readonly CatalogueFunction[],
): Member[] {
  return functions
    .filter(({ argumentTypes }) => argumentTypes === relation.name)
    .map((called) => ({ name: called.name, type: nullable(returnedType(scope, called)) }));
}

function tableColumn(
  scope: TypeScope,
  { schema }: Relation,
  column: RelationColumn,
  isUpdate: boolean,
): Member {
  if (column.identity === 'always') return { name: column.name, optional: true, type: 'never' };
  const optional = isUpdate || column.isNullable || column.identity !== null || column.hasDefault;
  return columnMember(scope, schema, column, { isNullable: column.isNullable, optional });
}

function viewColumn(scope: TypeScope, { schema }: Relation, column: RelationColumn): Member {
  if (!column.isUpdatable) return { name: column.name, optional: true, type: 'never' };
  return columnMember(scope, schema, column, { isNullable: true, optional: true });
}

function relationships({ schema, name }: Relation, keys: readonly ShownKey[]): Node {
  const own = keys.filter(
    ({ from, to }) => from.schema === schema && from.name === name && to.schema === schema,
  );
  return tuple(own.toSorted(byKey).map(relationship));
}

function byKey(a: ShownKey, b: ShownKey): number {
  return (
    a.constraint.localeCompare(b.constraint) ||
    a.to.name.localeCompare(b.to.name) ||
    JSON.stringify(a.columns.map(([, other]) => other)).localeCompare(
      JSON.stringify(b.columns.map(([, other]) => other)),
    )
  );
}

function relationship({ constraint, columns, isOneToOne, to }: ShownKey): Node {
  return object([
    { name: 'foreignKeyName', type: stringLiteral(constraint) },
    { name: 'columns', type: tuple(columns.map(([own]) => stringLiteral(own))) },
    { name: 'isOneToOne', type: String(isOneToOne) },
    { name: 'referencedRelation', type: stringLiteral(to.name) },
    { name: 'referencedColumns', type: tuple(columns.map(([, other]) => stringLiteral(other))) },
  ]);
}
