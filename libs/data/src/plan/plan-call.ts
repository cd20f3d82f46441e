import type { ApiRequest } from '../request/api-request.js';
import { isRaw } from '../request/payload.js';
import { pgrstError } from '../errors.js';
import type { DatabaseFunction } from '../schema-cache/schema-cache.js';
import { Aliases } from './aliases.js';
import { arrayLiteral } from './array-literal.js';
import { clausesOf } from './clauses.js';
import { findFunction, takesBody } from './find-function.js';
import { maxAffected, refuseUnknownPreferences } from './heed-preferences.js';
import { negotiate, wantsObject } from './negotiate.js';
import { planRows, type Grounds } from './plan-rows.js';
import type { CallArguments, CallPlan } from './plan.js';

/** Plans a call of a database function. Its result is filtered, ordered and embedded into like a table. */
export function planCall(request: ApiRequest, grounds: Grounds): CallPlan {
  const called = findFunction(grounds.schema, request);
  const { returns } = called;
  const aliases = new Aliases(called.name);
  const rows = planRows(
    { ...grounds, aliases },
    {
      table: returns.table ?? called,
      fromSource: true,
      rowType: returns.table,
      alias: aliases.root,
      items: returns.kind === 'composite' ? request.select : [{ kind: 'star' }],
      clauses: clausesOf(request),
    },
  );
  const representation = negotiate(request, grounds, {
    of: returns.table ?? called,
    isValue: returns.kind === 'scalar' && !returns.isSet,
  });
  refuseUnknownPreferences(request);
  const atMost = maxAffected(request);
  if (atMost !== undefined && !returns.isSet) {
    throw pgrstError('PGRST128', {
      message:
        'Function must return SETOF or TABLE when max-affected preference is used with handling=strict',
    });
  }
  return {
    kind: 'call',
    function: called,
    arguments: argumentsOf(request, called),
    readOnly: request.action === 'callRead' || !called.isVolatile,
    rows,
    ...representation,
    output: request.headersOnly || returns.kind === 'void' ? undefined : representation.output,
    count: request.preferences.count,
    expected: { exactlyOne: wantsObject(representation), atMost },
  };
}

function argumentsOf(request: ApiRequest, called: DatabaseFunction): CallArguments {
  const { payload } = request;
  if (!payload) return { kind: 'texts', values: textArguments(request, called) };
  if (isRaw(payload)) return { kind: 'body', value: payload.value };
  if (takesBody(called, payload)) return { kind: 'body', value: payload.text };
  return { kind: 'json', payload, names: payload.keys };
}

/** Of a repeated argument the last counts, but a variadic parameter takes all. */
function textArguments(request: ApiRequest, called: DatabaseFunction): Map<string, string> {
  const variadic = called.parameters.find((parameter) => parameter.variadic)?.name;
  const values = new Map<string, string>();
  const many: string[] = [];
  for (const [name, value] of request.arguments) {
    if (name === variadic) many.push(value);
    else values.set(name, value);
  }
  if (variadic !== undefined && many.length > 0) values.set(variadic, arrayLiteral(many));
  return values;
}
