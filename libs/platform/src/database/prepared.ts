import type pg from 'pg';

/** Prepared statements that one connection may hold; what is asked after that is parsed each time. */
const maxPrepared = 256;

/** Statement text → the name it is prepared under, on whichever connection it runs. */
const names = new Map<string, string>();

/**
 * A statement of ours, to be parsed and planned once on each connection instead of each time it runs. The texts are
 * constant, so there are few; one without values may be several statements, which cannot be prepared.
 */
export function prepared(text: string, values: readonly unknown[]): pg.QueryConfig {
  if (values.length === 0) return { text };
  let name = names.get(text);
  if (name === undefined && names.size < maxPrepared) {
    name = `galley_${names.size}`;
    names.set(text, name);
  }
  return { ...(name !== undefined && { name }), text, values: values as unknown[] };
}
