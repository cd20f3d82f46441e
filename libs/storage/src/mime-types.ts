import { limits } from './limits.js';

const name = "[A-Za-z0-9!#$&^_.+'*-]+";
const token = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
const parameter = String.raw`${token}=(?:${token}|"[\x20\x21\x23-\x5b\x5d-\x7e]*")`;
const mimeType = new RegExp(`^${name}/${name}(?: *;(?: *${parameter})?)* *$`);

/**
 * Whether `text` is `type/subtype`, with or without parameters (RFC 9110 §8.3.1). A comma stands in quotes only,
 * where no escapes are taken: browsers read what follows one as another type, the last of which counts (WHATWG Fetch,
 * "extract a MIME type").
 */
export function isMimeType(text: string): boolean {
  return text.length <= limits.mimeTypeCharacters && mimeType.test(text);
}

/**
 * Whether a bucket takes `type`. An entry is a whole type, or `image/*`, or `*` + `/*`; parameters such as
 * `;charset=UTF-8` are not compared. A bucket without entries takes everything.
 */
export function isAllowedMimeType(type: string, allowed: readonly string[] | null): boolean {
  if (!allowed || allowed.length === 0) return true;
  const [main, sub] = essence(type).split('/');
  return allowed.some((entry) => {
    const [allowedMain, allowedSub] = essence(entry).split('/');
    if (allowedMain === '*') return true;
    return allowedMain === main && (allowedSub === '*' || allowedSub === sub);
  });
}

/** `Text/HTML; charset=UTF-8` → `text/html` */
export function essence(type: string): string {
  return type.split(';', 1)[0]!.trim().toLowerCase();
}
