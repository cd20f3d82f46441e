import { pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { ApiRequest } from '../request/api-request.js';
import { nameKey, type SchemaCache, type Table } from '../schema-cache/schema-cache.js';
import type { RestSettings } from '../settings/rest-settings.js';
import { Aliases } from './aliases.js';
import { clausesOf } from './clauses.js';
import { closestName } from './closest-name.js';
import { refuseUnknownPreferences } from './heed-preferences.js';
import { negotiate, wantsObject } from './negotiate.js';
import { planCall } from './plan-call.js';
import { planMutation } from './plan-mutate.js';
import { planRows, type Grounds } from './plan-rows.js';
import type { Plan, ReadPlan } from './plan.js';

/**
 * Decides what statement answers `request` on a database that looks like `schema`, as far as `settings` allow it.
 * @throws AppError with a PGRST1xx or PGRST2xx code when names do not exist or do not fit.
 */
export function makePlan(request: ApiRequest, schema: SchemaCache, settings: RestSettings): Plan {
  switch (request.action) {
    case 'read':
      return planRead(request, { schema, settings }, findTable(schema, request));
    case 'insert':
    case 'update':
    case 'upsert':
    case 'delete':
      return planMutation(request, { schema, settings }, findTable(schema, request));
    case 'call':
    case 'callRead':
      return planCall(request, { schema, settings });
  }
}

function planRead(request: ApiRequest, grounds: Grounds, table: Table): ReadPlan {
  const aliases = new Aliases(table.name);
  const rows = planRows(
    { ...grounds, aliases },
    { table, fromSource: false, alias: aliases.root, items: request.select, clauses: clausesOf(request) },
  );
  const representation = negotiate(request, grounds, { of: table, isValue: false });
  refuseUnknownPreferences(request);
  return {
    kind: 'read',
    rows,
    exactCountRows: grounds.settings.maxRows ?? limits.exactCountRows,
    ...representation,
    output: request.headersOnly ? undefined : representation.output,
    count: request.preferences.count,
    expected: { exactlyOne: wantsObject(representation), atMost: undefined },
  };
}

/** @throws AppError PGRST205 */
export function findTable(schema: SchemaCache, request: Pick<ApiRequest, 'schema' | 'target'>): Table {
  const table = schema.tables.get(nameKey(request.schema, request.target));
  if (table) return table;
  const names = [...schema.tables.values()].filter((t) => t.schema === request.schema).map((t) => t.name);
  const closest = closestName(request.target, names);
  throw pgrstError('PGRST205', {
    message: `Could not find the table '${request.schema}.${request.target}' in the schema cache`,
    hint: closest && `Perhaps you meant the table '${request.schema}.${closest}'`,
  });
}
