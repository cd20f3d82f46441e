/** What the `Prefer` headers (RFC 7240) ask for; undefined where they say nothing. */
export interface Preferences {
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | undefined;
  readonly missing: 'default' | 'null' | undefined;
  readonly representation: 'minimal' | 'headers-only' | 'representation' | undefined;
  readonly count: 'exact' | 'planned' | 'estimated' | undefined;
  readonly handling: 'strict' | 'lenient' | undefined;
  readonly maxAffected: number | undefined;
  /** Preferences nobody here knows: refused with `handling=strict`, else ignored (RFC 7240 §2). */
  readonly unknown: readonly string[];
}

const known = new Map<string, readonly [keyof Preferences, readonly string[]]>([
  ['resolution', ['resolution', ['merge-duplicates', 'ignore-duplicates']]],
  ['missing', ['missing', ['default', 'null']]],
  ['return', ['representation', ['minimal', 'headers-only', 'representation']]],
  ['count', ['count', ['exact', 'planned', 'estimated']]],
  ['handling', ['handling', ['strict', 'lenient']]],
]);

/** Parses a `Prefer` header; of a preference given twice the first counts. */
export function parsePrefer(header: string | undefined): Preferences {
  const preferences: Record<string, string | number | string[]> = {};
  const unknown: string[] = [];
  for (const text of header?.split(',') ?? []) {
    const preference = text.trim();
    if (preference === '') continue;
    const [name = '', value = ''] = preference.split('=', 2).map((part) => part.trim());
    const [key, values] = known.get(name) ?? [];
    if (key && values?.includes(value)) preferences[key] ??= value;
    else if (name === 'max-affected' && /^\d{1,9}$/.test(value)) preferences['maxAffected'] ??= Number(value);
    else unknown.push(preference);
  }
  return { ...noPreferences, ...preferences, unknown };
}

const noPreferences: Preferences = {
  resolution: undefined,
  missing: undefined,
  representation: undefined,
  count: undefined,
  handling: undefined,
  maxAffected: undefined,
  unknown: [],
};
