import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { memberOf, type Json } from './json-text.js';

/** A place in what an earlier request of the batch was answered. */
export interface Reference {
  /** RFC 6901, its first token the request's id or index. */
  readonly pointer: string;
  readonly request: number;
  /** Where in the body of the answer, from its top. */
  readonly tokens: readonly string[];
}

/** Indices of the requests before the one at hand, by index and by id. */
export type EarlierRequests = ReadonlyMap<string, number>;

/** @throws AppError PGRST102 for what is no pointer, or points at no earlier request */
export function parseReference(pointer: string, earlier: EarlierRequests): Reference {
  if (pointer.length > limits.pointerLength) {
    throw limitError('characters in a reference', limits.pointerLength);
  }
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) {
    throw pgrstError('PGRST102', {
      message: `"${pointer}" is no reference`,
      details: 'A reference is a JSON Pointer (RFC 6901) such as /author/0/id.',
      hint: 'An object {"$ref": …} that is none is written {"$$ref": …}, and ${…} in a path %24{…}.',
    });
  }
  const [name, ...tokens] = pointer.slice(1).split('/').map(unescaped);
  const request = earlier.get(name!);
  if (request !== undefined) return { pointer, request, tokens };
  throw pgrstError('PGRST102', {
    message: `"${pointer}" refers to no earlier request of the batch`,
    details: `No request before this one has the id or index "${name}".`,
  });
}

/** RFC 6901 §4. */
function unescaped(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

/**
 * What `reference` points at.
 * @param bodies  of the answers so far
 * @throws AppError PGRST102 when nothing is there
 */
export function resolveReference({ pointer, request, tokens }: Reference, bodies: Bodies): Json {
  let value: Json | undefined = bodies(request);
  for (const token of tokens) value = value === undefined ? undefined : memberOf(value, token);
  if (value !== undefined) return value;
  throw pgrstError('PGRST102', {
    message: `"${pointer}" is not in the response that it refers to`,
    hint: 'A response has rows in its body when it was asked for them: Prefer: return=representation.',
  });
}

/** Bodies of the answers so far, by the index of their request. */
export type Bodies = (request: number) => Json;
