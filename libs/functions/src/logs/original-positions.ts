import { originalPositionFor, type TraceMap } from '@jridgewell/trace-mapping';
import { limits } from '../limits.js';

/** A place in the bundle, by the name that an instance's stacks give it; another server's `/main.js` is none. */
const bundlePosition = /(?<![\w./\\-])main\.js:(\d{1,7}):(\d{1,7})/g;

export function namesBundle(text: string): boolean {
  return text.search(bundlePosition) >= 0;
}

/**
 * The text with places in the bundle replaced by those in the sources, `index.ts:12:5`; the first
 * `limits.mappedPositions` of them, and none that the map does not know. Lines and columns count from 1, as in stacks.
 */
export function withOriginalPositions(text: string, map: TraceMap): string {
  let mapped = 0;
  return text.replace(bundlePosition, (written, line: string, column: string) => {
    if (mapped >= limits.mappedPositions || line === '0' || column === '0') return written;
    mapped += 1;
    const original = originalPositionFor(map, { line: Number(line), column: Number(column) - 1 });
    return original.source === null ? written : `${original.source}:${original.line}:${original.column + 1}`;
  });
}
