import { limits } from './limits.js';

const token = "[A-Za-z0-9!#$&^_.+'*-]+";
const mimeType = new RegExp(`^${token}/${token}(?:\\s*;.*)?$`);

/** Whether `text` is `type/subtype`, with or without parameters (RFC 9110 §8.3.1). */
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
