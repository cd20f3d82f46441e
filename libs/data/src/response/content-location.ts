import { limits } from '../limits.js';
import { parseQueryString } from '../request/query-string.js';

/**
 * Value of `Content-Location` (RFC 9110 §8.7): the address of a table's rows, the same for the same parameters in
 * whatever order they were given. Values of a repeated parameter are joined by commas. Undefined when it is too long
 * for a header.
 */
export function contentLocation(table: string, query: string): string | undefined {
  const location = addressOf(table, query);
  return location.length > limits.contentLocationLength ? undefined : location;
}

function addressOf(table: string, query: string): string {
  const path = `/${encode(table)}`;
  if (query === '') return path;
  const values = new Map<string, string>();
  for (const [name, value] of parseQueryString(query)) {
    // The gateway's parameter.
    if (name === 'apikey') continue;
    const before = values.get(name);
    values.set(name, before === undefined ? encode(value) : `${before},${encode(value)}`);
  }
  const parameters = [...values.keys()].toSorted().map((name) => `${encode(name)}=${values.get(name)}`);
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`;
}

/** Address of a single new row: its primary key as filters. */
export function locationOf(table: string, key: readonly (readonly [string, string | null])[]): string {
  const filters = key.map(([column, value]) => {
    const filter = value === null ? 'is.null' : `eq.${value}`;
    return `${encode(column)}=${encode(filter)}`;
  });
  return `/${encode(table)}?${filters.join('&')}`;
}

/** Escapes all but the unreserved characters (RFC 3986 §2.3). */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
