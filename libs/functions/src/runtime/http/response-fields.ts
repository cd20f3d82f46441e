import { runtimeLimits as limits } from '../runtime-limits.js';
import { hopByHop } from './hop-by-hop.js';

const fieldName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

interface Fields {
  /** By name in lower case; several of one name are an array. */
  readonly headers: Record<string, string | string[]>;
  /** Those that belong to the connection; several of one name are one list. */
  readonly own: Record<string, string>;
}

/** @throws Error when a line is no header (RFC 9112 §5) */
export function fieldsOf(lines: readonly string[]): Fields {
  if (lines.length > limits.responseHeaders) throw new Error('The response has too many headers');
  const fields: Fields = { headers: {}, own: {} };
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = withoutSpace(line.slice(colon + 1));
    if (!fieldName.test(name) || name === '__proto__' || !fieldValue.test(value)) {
      throw new Error('A header of the response is not valid');
    }
    if (hopByHop.has(name)) fields.own[name] = joined(fields.own[name], value);
    else add(fields.headers, name, value);
  }
  return fields;
}

function add(headers: Record<string, string | string[]>, name: string, value: string): void {
  const known = Object.hasOwn(headers, name) ? headers[name]! : undefined;
  if (known === undefined) headers[name] = value;
  else if (typeof known === 'string') headers[name] = [known, value];
  else known.push(value);
}

function joined(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list}, ${value}`;
}

/** Without the spaces and tabs around it; `trim` would take bytes of other characters. */
function withoutSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
