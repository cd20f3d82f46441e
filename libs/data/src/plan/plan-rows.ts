import { pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { ApiRequest, At } from '../request/api-request.js';
import type { Field } from '../request/field.js';
import type { Condition } from '../request/filter.js';
import type { OrderTerm } from '../request/order.js';
import { allRows, type RowRange } from '../request/range.js';
import type { SelectEmbed, SelectField, SelectItem } from '../request/select.js';
import { nameKey, type QualifiedName, type SchemaCache } from '../schema-cache/schema-cache.js';
import type { RestSettings } from '../settings/rest-settings.js';
import type { Aliases } from './aliases.js';
import { findRelationship } from './find-relationship.js';
import type {
  EmbedPlan,
  PlannedColumn,
  PlannedCondition,
  PlannedField,
  PlannedOrder,
  RowsPlan,
} from './plan.js';

/** What is said of one table of the request and, under their names, of those embedded in it. */
export interface Clauses {
  readonly conditions: readonly At<Condition>[];
  readonly orders: readonly At<readonly OrderTerm[]>[];
  readonly ranges: readonly At<RowRange>[];
}

/** The clauses of a request, with its own range at the empty path. */
export function clausesOf(request: ApiRequest): Clauses {
  return {
    conditions: request.conditions,
    orders: request.orders,
    ranges: [{ path: [], value: request.range }, ...request.embedRanges],
  };
}

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
 * @throws AppError PGRST108, PGRST118, PGRST200, PGRST201
 */
export function planRows(
  scope: Scope,
  options: {
    table: QualifiedName;
    fromSource: boolean;
    alias: string;
    items: readonly SelectItem[];
    clauses: Clauses;
  },
): RowsPlan {
  const { table, alias, items, clauses } = options;
  const fieldOf = fieldPlanner(scope.schema, table);
  const embedItems = items.filter((item) => item.kind === 'embed');
  const inner = splitByEmbed(clauses, embedItems);
  const embeds = embedItems.map((item, i) => planEmbed(scope, table, alias, item, inner[i]!));
  const required: PlannedCondition[] = embeds
    .filter((embed) => embed.inner)
    .map((embed) => ({ kind: 'embedded', embed, exists: true }));
  return {
    from: options.fromSource ? undefined : table,
    alias,
    columns: items.flatMap((item) => (item.kind === 'embed' ? [] : planColumn(item, fieldOf))),
    embeds,
    where: [...own(clauses.conditions).map((c) => planCondition(c, fieldOf, embeds)), ...required],
    order: own(clauses.orders)
      .flat()
      .map((term) => planOrder(scope.schema, table, term, embeds)),
    range: cutToLimit(own(clauses.ranges)[0] ?? allRows, scope.settings),
  };
}

/** What is said of the table itself. */
function own<T>(list: readonly At<T>[]): T[] {
  return list.filter((at) => at.path.length === 0).map((at) => at.value);
}

function planEmbed(
  scope: Scope,
  table: QualifiedName,
  parentAlias: string,
  item: SelectEmbed,
  clauses: Clauses,
): EmbedPlan {
  const relationship = findRelationship(scope.schema, table, item.relation, item.hint);
  const { to, junction, cardinality } = relationship;
  const alias = scope.aliases.forEmbed(to.name);
  const toOne = cardinality === 'many-to-one' || cardinality === 'one-to-one';
  const rows = planRows(scope, { table: to, fromSource: false, alias, items: item.items, clauses });
  return {
    relationship,
    parentAlias,
    junctionAlias: junction ? scope.aliases.forEmbed(junction.table.name) : '',
    // A view may show several rows where its table has one.
    rows: toOne ? { ...rows, range: { ...rows.range, limit: 1 } } : rows,
    as: item.alias ?? item.relation,
    inner: item.inner,
    toOne,
  };
}

/** Hands each embedded table what is said of it, the paths shortened by its name. */
function splitByEmbed(clauses: Clauses, items: readonly SelectEmbed[]): Clauses[] {
  const split = <T>(list: readonly At<T>[]): At<T>[][] => {
    const parts: At<T>[][] = items.map(() => []);
    for (const { path, value } of list) {
      const [head, ...rest] = path;
      if (head !== undefined) parts[embedIndex(items, head)]!.push({ path: rest, value });
    }
    return parts;
  };
  const conditions = split(clauses.conditions);
  const orders = split(clauses.orders);
  const ranges = split(clauses.ranges);
  return items.map((_, i) => ({ conditions: conditions[i]!, orders: orders[i]!, ranges: ranges[i]! }));
}

function embedIndex(items: readonly SelectEmbed[], name: string): number {
  const byName = items.findIndex((item) => (item.alias ?? item.relation) === name);
  if (byName !== -1) return byName;
  const byRelation = items.findIndex((item) => item.relation === name);
  if (byRelation !== -1) return byRelation;
  throw pgrstError('PGRST108', {
    message: `'${name}' is not an embedded resource in this request`,
    hint: `Verify that '${name}' is included in the 'select' query parameter.`,
  });
}

type FieldPlanner = (field: Field) => PlannedField;

/** Plans fields of `table`. Unknown columns pass: they may be computed ones, and PostgreSQL names the others. */
export function fieldPlanner(schema: SchemaCache, table: QualifiedName): FieldPlanner {
  const columns = schema.tables.get(nameKey(table.schema, table.name))?.columns;
  return ({ column, jsonPath }) => {
    const type = columns?.get(column)?.baseType;
    return { column, jsonPath, isJson: type === 'json' || type === 'jsonb', isTsvector: type === 'tsvector' };
  };
}

function planColumn(item: Exclude<SelectItem, SelectEmbed>, fieldOf: FieldPlanner): PlannedColumn[] {
  if (item.kind === 'star') return [item];
  return [{ kind: 'field', field: fieldOf(item.field), cast: item.cast, as: item.alias ?? outputName(item) }];
}

/** A JSON path is named after its last key, or its column if it has only indexes. */
function outputName({ field }: SelectField): string {
  const key = field.jsonPath.findLast((step) => typeof step.key === 'string')?.key;
  return typeof key === 'string' ? key : field.column;
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

function planOrder(
  schema: SchemaCache,
  table: QualifiedName,
  term: OrderTerm,
  embeds: readonly EmbedPlan[],
): PlannedOrder {
  const { direction, nulls } = term;
  if (term.embed === undefined) {
    return { field: fieldPlanner(schema, table)(term.field), embed: undefined, direction, nulls };
  }
  const embed = embeds.find((candidate) => candidate.as === term.embed);
  if (!embed) {
    throw pgrstError('PGRST108', {
      message: `'${term.embed}' is not an embedded resource in this request`,
      hint: `Verify that '${term.embed}' is included in the 'select' query parameter.`,
    });
  }
  if (!embed.toOne) {
    throw pgrstError('PGRST118', {
      message: `A related order on '${term.embed}' is not possible`,
      details: `'${table.name}' and '${term.embed}' do not form a many-to-one or one-to-one relationship`,
    });
  }
  return { field: fieldPlanner(schema, embed.relationship.to)(term.field), embed, direction, nulls };
}

function cutToLimit({ offset, limit }: RowRange, { maxRows }: RestSettings): RowRange {
  return { offset, limit: Math.min(limit ?? limits.rows, maxRows ?? limits.rows, limits.rows) };
}
