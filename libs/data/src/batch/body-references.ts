import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { isList, textOf, writeJson, type Json } from './json-text.js';
import { parseReference, resolveReference, type Bodies, type EarlierRequests } from './reference.js';

/** @throws AppError PGRST102 for a reference that cannot be one */
export function checkBodyReferences(body: Json, earlier: EarlierRequests): void {
  writeJson(body, (value) => {
    const pointer = pointerIn(value);
    if (pointer !== undefined) parseReference(pointer, earlier);
    return undefined;
  });
}

/**
 * The JSON text of `body` with the values that its references point at: `{"$ref": "/author/0/id"}`. An object that only
 * looks like one is written `{"$$ref": …}`, and that `{"$$$ref": …}`.
 * @throws AppError PGRST102 when there is nothing, PGRST100 when they make it too large
 */
export function resolveBody(body: Json, earlier: EarlierRequests, bodies: Bodies): string {
  let length = 0;
  return writeJson(body, replace);

  function replace(value: Json): string | undefined {
    const pointer = pointerIn(value);
    if (pointer === undefined) return literalIn(value);
    const text = writeJson(resolveReference(parseReference(pointer, earlier), bodies));
    length += text.length;
    if (length <= limits.batchBodyBytes) return text;
    throw limitError('bytes in a body with its references', limits.batchBodyBytes);
  }

  function literalIn(value: Json): string | undefined {
    const [name, member] = onlyMember(value) ?? [];
    if (name === undefined || !/^\$\$+ref$/.test(name)) return undefined;
    return `{${JSON.stringify(name.slice(1))}:${writeJson(member!, replace)}}`;
  }
}

/** @throws AppError PGRST102 */
function pointerIn(value: Json): string | undefined {
  const [name, member] = onlyMember(value) ?? [];
  if (name !== '$ref') return undefined;
  const pointer = textOf(member!);
  if (pointer !== undefined) return pointer;
  throw pgrstError('PGRST102', { message: 'The value of "$ref" must be a text, a JSON Pointer' });
}

function onlyMember(value: Json): [name: string, member: Json] | undefined {
  if (typeof value !== 'object' || value === null || isList(value)) return undefined;
  const [first, ...others] = Object.entries(value);
  return first && others.length === 0 ? [first[0].slice(1), first[1]] : undefined;
}
