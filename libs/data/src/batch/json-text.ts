/**
 * JSON whose numbers keep their digits: JavaScript's numbers hold some 16 of them, PostgreSQL's any. Each text begins
 * with a letter that tells what it is: `s` a text or the name of a member, `n` a number as it was written.
 */
export type Json = string | boolean | null | readonly Json[] | { readonly [member: string]: Json };

/** @param text  must be JSON */
export function parseJson(text: string): Json {
  return JSON.parse(marked(text)) as Json;
}

const textOrNumber = /["\d-]/g;
const number = /-?\d[\d.eE+-]*/y;

function marked(text: string): string {
  let result = '';
  let done = 0;
  textOrNumber.lastIndex = 0;
  for (let match; (match = textOrNumber.exec(text)) !== null;) {
    const start = match.index;
    const isText = match[0] === '"';
    const end = isText ? endOfText(text, start) : endOfNumber(text, start);
    result +=
      text.slice(done, start) + (isText ? `"s${text.slice(start + 1, end)}` : `"n${text.slice(start, end)}"`);
    done = end;
    textOrNumber.lastIndex = end;
  }
  return result + text.slice(done);
}

/** Not by a pattern: the stack of a pattern grows with the text that it reads. */
function endOfText(text: string, start: number): number {
  let end = start;
  do end = text.indexOf('"', end + 1);
  while (isEscaped(text, end));
  return end + 1;
}

function isEscaped(text: string, position: number): boolean {
  let backslashes = 0;
  while (text[position - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

function endOfNumber(text: string, start: number): number {
  number.lastIndex = start;
  return start + number.exec(text)![0].length;
}

/** @param replace  writes a value in another way; undefined leaves it as it is */
export function writeJson(value: Json, replace?: (value: Json) => string | undefined): string {
  const replaced = replace?.(value);
  if (replaced !== undefined) return replaced;
  if (typeof value === 'string') {
    return value.startsWith('n') ? value.slice(1) : JSON.stringify(value.slice(1));
  }
  if (isList(value)) return `[${value.map((element) => writeJson(element, replace)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name.slice(1))}:${writeJson(member, replace)}`,
  );
  return `{${members.join(',')}}`;
}

/** The element or member `name` (RFC 6901 §4); undefined when there is none. */
export function memberOf(value: Json, name: string): Json | undefined {
  if (isList(value)) return /^(?:0|[1-9]\d*)$/.test(name) ? value[Number(name)] : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, `s${name}`) ? value[`s${name}`] : undefined;
}

export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

export function isNumber(value: Json): boolean {
  return typeof value === 'string' && value.startsWith('n');
}

/** What a text says; undefined for other values. */
export function textOf(value: Json): string | undefined {
  return typeof value === 'string' && value.startsWith('s') ? value.slice(1) : undefined;
}
