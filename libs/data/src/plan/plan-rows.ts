import { notImplemented, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { Condition } from '../request/filter.js';
import { allRows, type RowRange } from '../request/range.js';
import type { SelectEmbed, SelectItem } from '../request/select.js';
import {
  nameKey,
  type QualifiedName,
  type Relationship,
  type SchemaCache,
  type Table,
} from '../schema-cache/schema-cache.js';
import type { RestSettings } from '../settings/rest-settings.js';
import type { Aliases } from './aliases.js';
import { own, splitByEmbed, type Clauses } from './clauses.js';
import { findRelationship } from './find-relationship.js';
import { fieldPlanner, planColumns, type FieldPlanner } from './plan-fields.js';
import { planOrder } from './plan-order.js';
import type { EmbedPlan, Output, PlannedCondition, RowsPlan } from './plan.js';

/** What plans rest on beside the request. */
export interface Grounds {
  readonly schema: SchemaCache;
  readonly settings: RestSettings;
}

interface Scope extends Grounds {
  readonly aliases: Aliases;
}

/**
 * Plans the rows of one table and, recursively, of those embedded in it.
 *
 * @param options.table  whose columns and relationships count
 * @param options.fromSource  the rows come from a change or function instead of the table
 * @param options.rowType  they are whole rows of this type
 * @param options.spread  the columns are to be spread into those of another table
 * @throws AppError PGRST108, PGRST118, PGRST123, PGRST127, PGRST200, PGRST201
 */
export function planRows(
  scope: Scope,
  options: {
    table: QualifiedName;
    fromSource: boolean;
    rowType?: QualifiedName | undefined;
    alias: string;
    items: readonly SelectItem[];
    clauses: Clauses;
    spread?: boolean;
  },
): RowsPlan {
  const { schema, settings } = scope;
  const { table, alias, items, clauses } = options;
  const fieldOf = fieldPlanner(schema, table, options.rowType);
  const embedItems = items.filter((item) => item.kind === 'embed');
  const inner = splitByEmbed(clauses, embedItems);
  const known = schema.tables.get(nameKey(table.schema, table.name))?.columns;
  const parentColumns = options.fromSource ? known && [...known.keys()] : undefined;
  const parent = { table, alias, columns: parentColumns };
  const embeds = embedItems.map((item, i) => planEmbed(scope, parent, item, inner[i]!));
  const columnItems = items.filter((item) => item.kind !== 'embed');
  const isGrouped =
    columnItems.some((item) => item.kind !== 'star' && item.aggregate) ||
    embeds.some((embed) => embed.outputs.some((output) => output.aggregate));
  if (isGrouped && !settings.aggregatesEnabled) {
    throw pgrstError('PGRST123', { message: 'Use of aggregate functions is not allowed' });
  }
  const isWrittenOut = isGrouped || options.spread || hasOther(known, columnItems, options.fromSource);
  const required: PlannedCondition[] = embeds
    .filter((embed) => embed.inner)
    .map((embed) => ({ kind: 'embedded', embed, exists: true }));
  return {
    from: options.fromSource ? undefined : table,
    alias,
    columns: planColumns(columnItems, fieldOf, isWrittenOut ? known?.values() : undefined),
    embeds,
    where: [...own(clauses.conditions).map((c) => planCondition(c, fieldOf, embeds)), ...required],
    order: own(clauses.orders)
      .flat()
      .map((term) => planOrder(schema, table, fieldOf, term, embeds)),
    range: cutToLimit(own(clauses.ranges)[0] ?? allRows, settings),
    isGrouped,
  };
}

/**
 * Whether `*` is other than what the rows have: some of it is shown otherwise, or they hold computed columns besides,
 * as those of a change may.
 */
function hasOther(
  known: Table['columns'] | undefined,
  items: readonly SelectItem[],
  fromSource: boolean,
): boolean {
  for (const column of known?.values() ?? []) if (column.representation?.toJson) return true;
  return fromSource && items.some((item) => item.kind === 'field' && !known?.has(item.field.column));
}

function planEmbed(
  scope: Scope,
  parent: { table: QualifiedName; alias: string; columns: readonly string[] | undefined },
  item: SelectEmbed,
  clauses: Clauses,
): EmbedPlan {
  const relationship = findRelationship(scope.schema, parent.table, item.relation, item.hint);
  const { to } = relationship;
  const { items, spread } = item;
  const alias = scope.aliases.forEmbed(to.name);
  const junction = relationship.kind === 'key' ? relationship.junction?.table : undefined;
  const rows = planRows(scope, { table: to, fromSource: false, alias, items, clauses, spread });
  const toOne = isToOne(relationship);
  if (spread && !toOne && rows.isGrouped) {
    throw notImplemented('Aggregates are not implemented for one-to-many or many-to-many spreads.');
  }
  const as = item.alias ?? item.relation;
  const outputs = outputsOf(rows);
  return {
    relationship,
    parentAlias: parent.alias,
    parentColumns: parent.columns,
    junctionAlias: junction ? scope.aliases.forEmbed(junction.name) : '',
    // A view or function may show several rows where there should be one.
    rows: toOne ? { ...rows, range: cutTo(1, rows.range) } : rows,
    joinAlias: scope.aliases.forEmbed(to.name),
    as,
    inner: item.inner,
    spread,
    outputs: spread || outputs.length === 0 ? outputs : [{ as, aggregate: undefined }],
    toOne,
  };
}

function isToOne(relationship: Relationship): boolean {
  if (relationship.kind === 'computed') return relationship.toOne;
  return relationship.cardinality === 'many-to-one' || relationship.cardinality === 'one-to-one';
}

/** The members that the rows have as JSON objects; `*` counts as one. */
function outputsOf(rows: RowsPlan): Output[] {
  const columns = rows.columns.map((column) =>
    column.kind === 'star' ? { as: '*', aggregate: undefined } : column,
  );
  return [...columns, ...rows.embeds.flatMap((embed) => embed.outputs)];
}

/** Plans a condition on rows in which `embeds` are embedded. */
export function planCondition(
  condition: Condition,
  fieldOf: FieldPlanner,
  embeds: readonly EmbedPlan[],
): PlannedCondition {
  if (condition.kind === 'logic') {
    return { ...condition, conditions: condition.conditions.map((c) => planCondition(c, fieldOf, embeds)) };
  }
  const { field, negated, operation } = condition;
  const embed = field.jsonPath.length === 0 && embeds.find((candidate) => candidate.as === field.column);
  // `author=is.null` asks for rows without an author (postgrest.org, "Null filtering on embedded resources").
  if (embed && operation.kind === 'is' && (operation.value === 'null' || operation.value === 'not_null')) {
    return { kind: 'embedded', embed, exists: (operation.value === 'not_null') !== negated };
  }
  return { kind: 'filter', field: fieldOf(field), negated, operation };
}

function cutToLimit(range: RowRange, { maxRows }: RestSettings): RowRange {
  return cutTo(Math.min(maxRows ?? limits.rows, limits.rows), range);
}

function cutTo(most: number, { offset, limit }: RowRange): RowRange {
  return { offset, limit: Math.min(limit ?? most, most) };
}
