import { pgrstError } from '../errors.js';
import type { OrderTerm } from '../request/order.js';
import type { QualifiedName, SchemaCache } from '../schema-cache/schema-cache.js';
import { spreadColumn } from './aliases.js';
import { notEmbedded } from './clauses.js';
import { fieldPlanner, type FieldPlanner } from './plan-fields.js';
import type { EmbedPlan, PlannedOrder, PlannedValue } from './plan.js';

/**
 * Plans one term of the order of rows of `table` in which `embeds` are embedded.
 * @throws AppError PGRST108, PGRST118
 */
export function planOrder(
  schema: SchemaCache,
  table: QualifiedName,
  fieldOf: FieldPlanner,
  term: OrderTerm,
  embeds: readonly EmbedPlan[],
): PlannedOrder {
  const { direction, nulls } = term;
  if (term.embed === undefined) {
    const field = fieldOf(term.field);
    return { field, cast: undefined, embed: undefined, isSpread: false, direction, nulls };
  }
  const embed = embeds.find((candidate) => candidate.as === term.embed);
  if (!embed) throw notEmbedded(term.embed);
  if (!embed.toOne) {
    throw pgrstError('PGRST118', {
      message: `A related order on '${term.embed}' is not possible`,
      details: `'${table.name}' and '${term.embed}' do not form a many-to-one or one-to-one relationship`,
    });
  }
  return { ...planRelated(schema, embed, term), embed, direction, nulls };
}

/** A column of the embedded table, by the name that it has there or by the one that the request gives it. */
function planRelated(
  schema: SchemaCache,
  embed: EmbedPlan,
  { field }: OrderTerm,
): Pick<PlannedOrder, 'field' | 'cast' | 'isSpread'> {
  const position = embed.spread ? embed.outputs.findIndex((output) => output.as === field.column) : -1;
  if (position !== -1) {
    const column = {
      ...field,
      column: spreadColumn(position),
      isJson: false,
      isTsvector: false,
      representation: undefined,
    };
    return { field: column, cast: undefined, isSpread: true };
  }
  const planned = fieldPlanner(schema, embed.relationship.to)(field);
  const renamed = embed.rows.columns.find((column): column is PlannedValue => isNamed(column, field.column));
  if (!renamed?.field) return { field: planned, cast: undefined, isSpread: false };
  const jsonPath = [...renamed.field.jsonPath, ...field.jsonPath];
  return { field: { ...renamed.field, jsonPath }, cast: renamed.cast, isSpread: false };
}

function isNamed(column: EmbedPlan['rows']['columns'][number], name: string): boolean {
  return column.kind === 'value' && column.as === name && column.aggregate === undefined;
}
