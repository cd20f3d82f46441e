import { cutNames, pgrstError } from '../errors.js';
import type { ApiRequest } from '../request/api-request.js';
import { isRaw } from '../request/payload.js';
import { nameKey, type DatabaseFunction, type SchemaCache } from '../schema-cache/schema-cache.js';
import { closestName, leastSimilarity } from './closest-name.js';

/**
 * Finds the overload whose parameters the given arguments fit: all required ones and no unknown ones. Failing
 * that, one that takes the whole body as its only, unnamed argument.
 *
 * @throws AppError PGRST202 when there is none, PGRST203 when there are several.
 */
export function findFunction(schema: SchemaCache, request: ApiRequest): DatabaseFunction {
  const names = argumentNames(request);
  const overloads = schema.functions.get(nameKey(request.schema, request.target)) ?? [];
  const fitting = overloads.filter((overload) => fits(overload, names, request.payload));
  const [found, ...others] =
    fitting.length > 0 ? fitting : overloads.filter((overload) => takesBody(overload, request.payload));
  if (!found) throw notFound(schema, request, names, overloads);
  if (others.length > 0) throw ambiguous([found, ...others]);
  return found;
}

/** Whether `called` has one unnamed parameter of the type that the body is. */
export function takesBody({ parameters }: DatabaseFunction, payload: ApiRequest['payload']): boolean {
  const [only, ...others] = parameters;
  if (!payload || !only || others.length > 0 || only.name !== '') return false;
  if (isRaw(payload)) return only.type === payload.kind;
  return payload.isJson && (only.type === 'json' || only.type === 'jsonb');
}

function argumentNames({ payload, arguments: texts }: ApiRequest): Set<string> {
  if (!payload) return new Set(texts.map(([name]) => name));
  return new Set(isRaw(payload) ? [] : payload.keys);
}

function fits(
  { parameters }: DatabaseFunction,
  names: ReadonlySet<string>,
  payload: ApiRequest['payload'],
): boolean {
  if (payload && isRaw(payload)) return false;
  const required = parameters.filter((parameter) => parameter.required);
  const known = new Set(parameters.map((parameter) => parameter.name));
  return (
    required.every((parameter) => parameter.name !== '' && names.has(parameter.name)) &&
    [...names].every((name) => known.has(name))
  );
}

function notFound(
  schema: SchemaCache,
  request: ApiRequest,
  names: ReadonlySet<string>,
  overloads: readonly DatabaseFunction[],
) {
  const list = [...names].toSorted();
  const qualified = `${request.schema}.${request.target}`;
  const { payload } = request;
  const bodyOnly = payload && isRaw(payload);
  const listed = cutNames(list.join(', '));
  const withNames = list.length === 0 ? ' without parameters' : `(${listed})`;
  const parameters = list.length > 1 ? 'parameters' : 'parameter';
  const searched = bodyOnly
    ? ` with a single unnamed ${payload.kind} parameter`
    : (list.length === 0 ? ' without parameters' : ` with ${parameters} ${listed}`) +
      (payload?.isJson ? ' or with a single unnamed json/jsonb parameter' : '');
  return pgrstError('PGRST202', {
    message: `Could not find the function ${qualified}${bodyOnly ? '' : withNames} in the schema cache`,
    details: `Searched for the function ${qualified}${searched}, but no matches were found in the schema cache.`,
    hint: bodyOnly ? undefined : suggestion(schema, request, list, overloads),
  });
}

/** A function of a like name, or of this name an overload with like parameters. */
function suggestion(
  schema: SchemaCache,
  request: ApiRequest,
  names: readonly string[],
  overloads: readonly DatabaseFunction[],
) {
  const meant = (call: string | undefined) =>
    call && `Perhaps you meant to call the function ${request.schema}.${call}`;
  if (overloads.length === 0) return meant(closestName(request.target, namesIn(schema, request.schema)));
  const signatures = overloads.map(({ parameters }) =>
    signatureOf(parameters.map((parameter) => parameter.name)),
  );
  const closest = closestName(signatureOf(names), signatures, leastSimilarity.related);
  return meant(closest && `${request.target}${closest}`);
}

function signatureOf(names: readonly string[]): string {
  return `(${names.toSorted().join(', ')})`;
}

function namesIn({ functions }: SchemaCache, schema: string): string[] {
  const overloaded = [...functions.values()].map(([first]) => first!);
  return overloaded.filter((overload) => overload.schema === schema).map((overload) => overload.name);
}

function ambiguous(found: readonly DatabaseFunction[]) {
  const signatures = found.map((overload) => {
    const parameters = overload.parameters.map((parameter) => `${parameter.name} => ${parameter.type}`);
    return `${overload.schema}.${overload.name}(${parameters.join(', ')})`;
  });
  return pgrstError('PGRST203', {
    message: `Could not choose the best candidate function between: ${signatures.join(', ')}`,
    hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
  });
}
