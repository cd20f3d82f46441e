import { cutNames, pgrstError } from '../errors.js';
import type { ApiRequest } from '../request/api-request.js';
import { isRaw, type RowsPayload } from '../request/payload.js';
import { allRows } from '../request/range.js';
import type { Column, Table } from '../schema-cache/schema-cache.js';
import { Aliases } from './aliases.js';
import type { Clauses } from './clauses.js';
import { columnsRead } from './columns-read.js';
import { maxAffected, refuseUnknownPreferences } from './heed-preferences.js';
import { negotiate, wantsObject, type Representation } from './negotiate.js';
import { fieldPlanner } from './plan-fields.js';
import { planCondition, planRows, type Grounds } from './plan-rows.js';
import { planSlice } from './plan-slice.js';
import type { MutatePlan, OnConflict, PlannedCondition, Returning, RowsPlan, Upsert } from './plan.js';

/** Plans an insert, update or delete. Filters of the table itself choose rows, all else shapes the response. */
export function planMutation(request: ApiRequest, grounds: Grounds, table: Table): MutatePlan {
  const aliases = new Aliases(table.name);
  const rows = planRows(
    { ...grounds, aliases },
    {
      table,
      fromSource: true,
      alias: aliases.root,
      items: request.select,
      clauses: responseClauses(request),
    },
  );
  const change = planChange(request, grounds, table);
  refuseUnknownPreferences(request);
  const representation = negotiate(request, grounds, { of: table, isValue: false });
  const shows = request.preferences.representation === 'representation';
  return {
    kind: 'mutate',
    table,
    change,
    rows: { ...rows, range: allRows },
    returning: returningOf(shows ? rows : undefined, table, change),
    ...representation,
    output: shows ? representation.output : undefined,
    count: request.preferences.count,
    expected: {
      ...expectation(request, representation, table, change),
      returnedAtMost: shows ? grounds.settings.maxReturnedRows : undefined,
    },
  };
}

function expectation(
  request: ApiRequest,
  representation: Representation,
  table: Table,
  change: MutatePlan['change'],
): MutatePlan['expected'] {
  if (change.kind === 'upsert') return { exactlyOne: false, atMost: undefined, putOne: true };
  const exactlyOne = wantsObject(representation);
  if (change.kind === 'insert') return { exactlyOne, atMost: undefined };
  const mayTwin = change.slice && table.primaryKey.length === 0;
  const changeLimit = mayTwin ? request.range.limit : undefined;
  return { exactlyOne, atMost: maxAffected(request), changeLimit };
}

function responseClauses(request: ApiRequest): Clauses {
  return {
    conditions: request.conditions.filter((at) => at.path.length > 0),
    orders: request.orders,
    ranges: request.embedRanges,
  };
}

function planChange(request: ApiRequest, grounds: Grounds, table: Table): MutatePlan['change'] {
  const useDefaults = request.preferences.missing === 'default';
  switch (request.action) {
    case 'insert': {
      const onConflict = onConflictOf(request, table);
      const locationColumns = locationColumnsOf(request, table);
      return { kind: 'insert', ...newValues(request, table), useDefaults, onConflict, locationColumns };
    }
    case 'upsert':
      return planUpsert(request, grounds, table);
    case 'update': {
      const where = planWhere(request, grounds, table);
      return {
        kind: 'update',
        ...newValues(request, table),
        useDefaults,
        where,
        slice: planSlice(request, grounds, table),
      };
    }
    default:
      return {
        kind: 'delete',
        where: planWhere(request, grounds, table),
        slice: planSlice(request, grounds, table),
      };
  }
}

function newValues(request: ApiRequest, table: Table): { columns: Column[]; payload: RowsPayload } {
  const { payload } = request;
  // A body of another type was refused for this action.
  if (!payload || isRaw(payload)) throw new TypeError('A change of rows has no rows.');
  const columns = payload.keys.map((name) => {
    const column = table.columns.get(name);
    if (column) return column;
    throw pgrstError('PGRST204', {
      message: `Could not find the '${cutNames(name)}' column of '${table.name}' in the schema cache`,
    });
  });
  return { columns, payload };
}

function onConflictOf(request: ApiRequest, table: Table): OnConflict | undefined {
  const { resolution } = request.preferences;
  const columns = request.onConflict ?? table.primaryKey;
  return resolution && columns.length > 0 ? { columns, resolution } : undefined;
}

/** In the order in which PostgREST shows them. */
function locationColumnsOf({ preferences, select }: ApiRequest, { columns, primaryKey }: Table): string[] {
  if (preferences.representation !== 'headers-only') return [];
  const isWhole = select.some((item) => item.kind === 'star');
  return isWhole ? [...columns.keys()].filter((name) => primaryKey.includes(name)) : primaryKey.toSorted();
}

/** @throws AppError PGRST105 unless the filters are the primary key (postgrest.org, "PUT") */
function planUpsert(request: ApiRequest, grounds: Grounds, { primaryKey, ...table }: Table): Upsert {
  const filtered = new Set<string>();
  const areEqual = request.conditions.every(({ path, value }) => {
    if (path.length > 0 || value.kind === 'logic' || value.negated) return false;
    const { field, operation } = value;
    filtered.add(field.column);
    if (field.jsonPath.length > 0 || operation.kind !== 'compare') return false;
    return operation.operator === 'eq' && operation.quantifier === undefined;
  });
  const isKey =
    primaryKey.length > 0 &&
    filtered.size === primaryKey.length &&
    primaryKey.every((name) => filtered.has(name));
  if (!areEqual || !isKey) {
    throw pgrstError('PGRST105', {
      message: "Filters must include all and only primary key columns with 'eq' operators",
    });
  }
  return {
    kind: 'upsert',
    ...newValues(request, { primaryKey, ...table }),
    useDefaults: false,
    onConflict: { columns: primaryKey, resolution: 'merge-duplicates' },
    where: planWhere(request, grounds, { primaryKey, ...table }),
  };
}

function planWhere(request: ApiRequest, { schema }: Grounds, table: Table): PlannedCondition[] {
  const fieldOf = fieldPlanner(schema, table);
  return request.conditions
    .filter((at) => at.path.length === 0)
    .map((at) => planCondition(at.value, fieldOf, []));
}

/** Only columns that are needed are returned: RETURNING wants the right to read them. */
function returningOf(shown: RowsPlan | undefined, table: Table, change: MutatePlan['change']): Returning {
  const { names, allColumns } = shown ? columnsRead(shown) : { names: new Set<string>(), allColumns: false };
  if (change.kind === 'insert') for (const column of change.locationColumns) names.add(column);
  // Beside `*` only what is no column of the table has to be named: computed ones.
  const columns = [...names].filter((name) => !allColumns || !table.columns.has(name));
  return { allColumns, columns };
}
