import type { Field } from '../request/field.js';
import type { Aggregate, SelectEmbed, SelectField, SelectItem } from '../request/select.js';
import { nameKey, type Column, type QualifiedName, type SchemaCache } from '../schema-cache/schema-cache.js';
import type { PlannedColumn, PlannedField } from './plan.js';

export type FieldPlanner = (field: Field) => PlannedField;

/**
 * Plans fields of `table`. Unknown columns pass: they may be computed ones, and PostgreSQL names the others. Those are
 * searched as they are, as what they compute is mostly a document.
 * @param rowType  of rows that come from elsewhere than a table or view, which would tell it: a computed column asks for it
 */
export function fieldPlanner(
  schema: SchemaCache,
  table: QualifiedName,
  rowType?: QualifiedName,
): FieldPlanner {
  const columns = schema.tables.get(nameKey(table.schema, table.name))?.columns;
  return ({ column, jsonPath }) => {
    const known = columns?.get(column);
    const type = known?.baseType;
    return {
      column,
      rowType: columns && !known ? rowType : undefined,
      jsonPath,
      isJson: type === 'json' || type === 'jsonb',
      isTsvector: type === undefined || type === 'tsvector',
      // What is inside a value has no type that one could know.
      representation: jsonPath.length === 0 ? known?.representation : undefined,
    };
  };
}

type ColumnItem = Exclude<SelectItem, SelectEmbed>;

/** Plans what is selected of a table itself; `known` are the columns that `*` is written out to, where it has to be. */
export function planColumns(
  items: readonly ColumnItem[],
  fieldOf: FieldPlanner,
  known: Iterable<Column> | undefined,
): PlannedColumn[] {
  return items.flatMap((item): PlannedColumn[] => {
    if (item.kind === 'star')
      return known ? Array.from(known, ({ name }) => plainColumn(name, fieldOf)) : [item];
    const as = item.alias ?? outputName(item);
    if (item.kind === 'count') {
      return [{ kind: 'value', field: undefined, cast: undefined, aggregate: item.aggregate, as }];
    }
    return [{ kind: 'value', field: fieldOf(item.field), cast: item.cast, aggregate: item.aggregate, as }];
  });
}

function plainColumn(name: string, fieldOf: FieldPlanner): PlannedColumn {
  const field = fieldOf({ column: name, jsonPath: [] });
  return { kind: 'value', field, cast: undefined, aggregate: undefined, as: name };
}

/** An aggregate is named after its function, a JSON path after its last key, or its column if it has only indexes. */
function outputName(item: { aggregate: Aggregate } | SelectField): string {
  if (item.aggregate) return item.aggregate.function;
  const { field } = item as SelectField;
  const key = field.jsonPath.findLast((step) => typeof step.key === 'string')?.key;
  return typeof key === 'string' ? key : field.column;
}
