import type { DescribedFunction, DescribedParameter } from './schema-description.js';
import { summaryOf } from './summary.js';
import { elementType, swaggerFormat, swaggerType, valueSchema } from './value-types.js';

export const rowMediaTypes = [
  'application/json',
  'application/vnd.pgrst.object+json;nulls=stripped',
  'application/vnd.pgrst.object+json',
];

/** How a function is called: a volatile one by POST alone. */
export function functionPath(called: DescribedFunction): object {
  const shared = {
    tags: [`(rpc) ${called.name}`],
    ...summaryOf(called.comment),
    produces: rowMediaTypes,
    responses: { 200: { description: 'OK' } },
  };
  const body = { name: 'args', required: true, in: 'body', schema: argumentsSchema(called) };
  const post = { ...shared, parameters: [body, { $ref: '#/parameters/preferParams' }] };
  if (called.isVolatile) return { post };
  return { get: { ...shared, parameters: called.parameters.map(queryParameter) }, post };
}

function argumentsSchema({ comment, parameters }: DescribedFunction): object {
  const required = parameters.filter((parameter) => parameter.required).map((parameter) => parameter.name);
  return {
    ...(comment !== null && { description: comment }),
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(parameters.map(({ name, type }) => [name, valueSchema(type)])),
    type: 'object',
  };
}

/** In a URL an array is text, `{a,b}`, but a variadic parameter is repeated. */
function queryParameter({ name, type, required, variadic }: DescribedParameter): object {
  const shared = { name, required, in: 'query' };
  const kind = swaggerType(type) ?? 'string';
  if (!variadic) return { ...shared, type: kind === 'array' ? 'string' : kind, format: swaggerFormat(type) };
  const elements = swaggerType(elementType(type));
  const items = { ...(elements && { type: elements }), format: swaggerFormat(elementType(type)) };
  return { ...shared, type: kind, collectionFormat: 'multi', items };
}
