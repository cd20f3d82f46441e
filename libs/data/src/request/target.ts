import { pathError, pgrstError } from '../errors.js';
import type { RestSettings } from '../settings/rest-settings.js';
import type { Action, ApiRequest } from './api-request.js';
import type { HttpRequest } from './http-request.js';
import { schemaOfHeader } from './profile-header.js';

/** Tells what the path, method and profile headers point at. */
export function resolveTarget(
  http: HttpRequest,
  settings: RestSettings,
): Pick<ApiRequest, 'action' | 'schema' | 'schemaWasNamed' | 'target'> {
  const { isFunction, target } = resolvePath(http.path);
  return {
    action: isFunction ? callAction(http.method) : tableAction(http.method),
    ...resolveSchema(http, settings),
    target,
  };
}

/** @throws AppError PGRST125 */
export function resolvePath(path: string): { isFunction: boolean; target: string } {
  const segments = path.split('/').map(decodeSegment);
  const isFunction = segments.length === 2 && segments[0] === 'rpc';
  const target = segments.at(-1)!;
  if (!isFunction && segments.length !== 1) throw pathError();
  if (target === '') throw pathError();
  return { isFunction, target };
}

function tableAction(method: string): Action {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 'read';
    case 'POST':
      return 'insert';
    case 'PATCH':
      return 'update';
    case 'PUT':
      return 'upsert';
    case 'DELETE':
      return 'delete';
    default:
      throw pgrstError('PGRST117', { message: `Unsupported HTTP method: ${method}` });
  }
}

function callAction(method: string): Action {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 'callRead';
    case 'POST':
      return 'call';
    default:
      throw pgrstError('PGRST101', { message: `Cannot use the ${method} method on RPC` });
  }
}

/** Reads take `Accept-Profile`, writes `Content-Profile` (postgrest.org, "Schemas"). @throws AppError PGRST106 */
export function resolveSchema(
  http: HttpRequest,
  { schemas }: RestSettings,
): Pick<ApiRequest, 'schema' | 'schemaWasNamed'> {
  const isRead = !['POST', 'PATCH', 'PUT', 'DELETE'].includes(http.method);
  const header = http.headers[isRead ? 'accept-profile' : 'content-profile'];
  // Of several schemas the first is as good as named (postgrest.org, "Schemas").
  if (header === undefined) return { schema: schemas[0]!, schemaWasNamed: schemas.length > 1 };
  // A request of a batch has its headers from JSON, as they are meant.
  const named = schemas.includes(header) ? header : schemaOfHeader(header);
  if (schemas.includes(named)) return { schema: named, schemaWasNamed: true };
  throw pgrstError('PGRST106', {
    message: `Invalid schema: ${named}`,
    hint: `Only the following schemas are exposed: ${schemas.join(', ')}`,
  });
}

function decodeSegment(segment: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch (cause) {
    throw pathError(cause);
  }
  if (decoded.includes('\0')) throw pathError();
  return decoded;
}
