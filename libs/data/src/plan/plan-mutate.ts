import { pgrstError } from '../errors.js';
import type { ApiRequest } from '../request/api-request.js';
import type { Payload } from '../request/payload.js';
import { allRows } from '../request/range.js';
import type { Column, SchemaCache, Table } from '../schema-cache/schema-cache.js';
import { Aliases } from './aliases.js';
import type { Clauses } from './clauses.js';
import { columnsRead } from './columns-read.js';
import { fieldPlanner } from './plan-fields.js';
import { planCondition, planRows, type Grounds } from './plan-rows.js';
import type {
  Delete,
  Insert,
  MutatePlan,
  OnConflict,
  PlannedCondition,
  Returning,
  RowsPlan,
  Update,
} from './plan.js';

/** Plans an insert, update or delete. Filters of the table itself choose rows, all else shapes the response. */
export function planMutation(request: ApiRequest, grounds: Grounds, table: Table): MutatePlan {
  const { schema } = grounds;
  const aliases = new Aliases(table.name);
  const { representation } = request.preferences;
  const shows = representation === 'representation';
  const rows = planRows(
    { ...grounds, aliases },
    {
      table,
      fromSource: true,
      alias: aliases.root,
      items: shows ? request.select : [],
      clauses: shows ? responseClauses(request) : noClauses,
    },
  );
  const change = planChange(request, schema, table);
  return {
    kind: 'mutate',
    table,
    change,
    rows: { ...rows, range: allRows },
    returning: returningOf(rows, table, change),
    output: shows ? request.mediaType : undefined,
    count: request.preferences.count,
    expected: {
      exactlyOne: request.mediaType.format === 'object',
      atMost: request.action === 'insert' ? undefined : maxAffected(request),
    },
  };
}

/** `max-affected` counts only together with `handling=strict` (postgrest.org, "Max Affected"). */
export function maxAffected({ preferences }: ApiRequest): number | undefined {
  return preferences.handling === 'strict' ? preferences.maxAffected : undefined;
}

const noClauses: Clauses = { conditions: [], orders: [], ranges: [] };

function responseClauses(request: ApiRequest): Clauses {
  return {
    conditions: request.conditions.filter((at) => at.path.length > 0),
    orders: request.orders,
    ranges: request.embedRanges,
  };
}

function planChange(request: ApiRequest, schema: SchemaCache, table: Table): Insert | Update | Delete {
  const useDefaults = request.preferences.missing === 'default';
  switch (request.action) {
    case 'insert': {
      const payload = rowsPayload(request);
      return {
        kind: 'insert',
        columns: columnsToSet(request, payload, table),
        payload,
        useDefaults,
        onConflict: onConflictOf(request, table),
        locationColumns: request.preferences.representation === 'headers-only' ? table.primaryKey : [],
      };
    }
    case 'update': {
      const payload = rowsPayload(request);
      const columns = columnsToSet(request, payload, table);
      return { kind: 'update', columns, payload, useDefaults, where: planWhere(request, schema, table) };
    }
    default:
      return { kind: 'delete', where: planWhere(request, schema, table) };
  }
}

function rowsPayload({ payload }: ApiRequest): Payload {
  if (payload?.kind === 'json-object') return payload;
  if (payload?.kind !== 'json-array') {
    throw pgrstError('PGRST102', { message: 'The body must be a JSON object or an array of them' });
  }
  return payload;
}

function columnsToSet(request: ApiRequest, payload: Payload, table: Table): Column[] {
  const names = request.columns ?? payload.keys;
  if (!names) throw pgrstError('PGRST102', { message: 'All object keys must match' });
  return names.map((name) => {
    const column = table.columns.get(name);
    if (column) return column;
    throw pgrstError('PGRST204', {
      message: `Could not find the '${name}' column of '${table.name}' in the schema cache`,
    });
  });
}

function onConflictOf(request: ApiRequest, table: Table): OnConflict | undefined {
  const { resolution } = request.preferences;
  const columns = request.onConflict ?? table.primaryKey;
  return resolution && columns.length > 0 ? { columns, resolution } : undefined;
}

function planWhere(request: ApiRequest, schema: SchemaCache, table: Table): PlannedCondition[] {
  const fieldOf = fieldPlanner(schema, table);
  return request.conditions
    .filter((at) => at.path.length === 0)
    .map((at) => planCondition(at.value, fieldOf, []));
}

/** Only columns that are needed are returned: RETURNING wants the right to read them. */
function returningOf(rows: RowsPlan, table: Table, change: MutatePlan['change']): Returning {
  const { names, allColumns } = columnsRead(rows);
  if (change.kind === 'insert') for (const column of change.locationColumns) names.add(column);
  // Beside `*` only what is no column of the table has to be named: computed ones.
  const columns = [...names].filter((name) => !allColumns || !table.columns.has(name));
  return { allColumns, columns };
}
