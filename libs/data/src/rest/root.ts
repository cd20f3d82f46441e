import type { Sql } from '#libs/platform';
import { pgrstError } from '../errors.js';
import { accessibleTables, describeFunctions } from '../openapi/accessible.sql.js';
import { openapiDocument } from '../openapi/openapi-document.js';
import { schemaDescription } from '../openapi/schema-descriptions.js';
import type { HttpRequest } from '../request/http-request.js';
import { headerOfSchema } from '../request/profile-header.js';
import { resolveSchema } from '../request/target.js';
import type { HttpResponse } from '../response/http-response.js';
import { projectSchema } from '../schema-cache/project-schema.js';
import type { Execution } from './execute.js';
import type { ServerTiming } from './server-timing.js';
import { transactionOf } from './transaction.js';

const openapiType = 'application/openapi+json';
const producedTypes = [openapiType, 'application/json', '*/*'];

/**
 * Answers the root with a description of the request's schema, as far as the caller has rights on it (postgrest.org,
 * "OpenAPI").
 * @throws AppError PGRST106, PGRST107, PGRST117
 */
export async function describeSchema(execution: Execution, timing: ServerTiming): Promise<HttpResponse> {
  const { http, project, settings } = execution;
  const { schema, schemaWasNamed } = resolveSchema(http, settings);
  if (http.method !== 'GET' && http.method !== 'HEAD') {
    throw pgrstError('PGRST117', { message: `Unsupported HTTP method: ${http.method}` });
  }
  refuseOtherTypes(http.headers['accept']);
  timing.end('parse');
  const cache = await projectSchema(project).current(settings);
  timing.end('plan');
  const description = await schemaDescription(project, cache, schema);
  const shown = await shownToCaller(execution, schema);
  timing.end('transaction');
  const { tables = new Set(description.tables.map((table) => table.name)), functions } = shown;
  const document = openapiDocument(
    { ...description, tables: description.tables.filter((table) => tables.has(table.name)) },
    functions,
    {
      url: new URL(settings.openapiServerProxyUri ?? `${project.apiUrl}/rest/v1`),
      needsKey: settings.openapiSecurityActive,
    },
  );
  timing.end('response');
  return {
    status: 200,
    headers: {
      'content-type': `${openapiType}; charset=utf-8`,
      ...(schemaWasNamed && { 'content-profile': headerOfSchema(schema) }),
    },
    body: http.method === 'HEAD' ? undefined : JSON.stringify(document),
  };
}

/** What the document shows; without `tables` all of them. */
async function shownToCaller(execution: Execution, schema: string) {
  const { project, caller, settings } = execution;
  if (settings.openapiMode === 'ignore-privileges') {
    const functions = await project.database.asSystem((tx) => describeFunctions(tx, schema, true));
    return { tables: undefined, functions };
  }
  const transaction = { ...transactionOf(execution, { schema }), readOnly: true };
  return project.database.asCaller(caller, transaction, async (tx: Sql) => ({
    tables: await accessibleTables(tx, schema),
    functions: await describeFunctions(tx, schema, false),
  }));
}

function refuseOtherTypes(accept: string | undefined): void {
  const types = accept?.split(',').map((type) => type.split(';', 1)[0]!.trim().toLowerCase());
  if (!types || types.some((type) => producedTypes.includes(type))) return;
  throw pgrstError('PGRST107', { message: `None of these media types are available: ${types.join(', ')}` });
}

/** The root as a call of the function that the settings put there instead of the description. */
export function rootCall(http: HttpRequest, name: string): HttpRequest {
  const accept = http.headers['accept']?.replace(openapiType, 'application/json');
  return { ...http, path: `rpc/${encodeURIComponent(name)}`, headers: { ...http.headers, accept } };
}

/** Its answer as the type that was asked for. */
export function rootAnswer(response: HttpResponse, { headers }: HttpRequest): HttpResponse {
  if (!headers['accept']?.includes(openapiType)) return response;
  return { ...response, headers: { ...response.headers, 'content-type': `${openapiType}; charset=utf-8` } };
}
