import type { TxEnd } from '../settings/rest-settings.js';

/** What the `Prefer` headers (RFC 7240) ask for; undefined where they say nothing. */
export interface Preferences {
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | undefined;
  readonly missing: 'default' | 'null' | undefined;
  readonly representation: 'minimal' | 'headers-only' | 'representation' | undefined;
  readonly count: 'exact' | 'planned' | 'estimated' | undefined;
  /** Only where the settings let requests choose. */
  readonly tx: 'commit' | 'rollback' | undefined;
  readonly handling: 'strict' | 'lenient' | undefined;
  readonly explain: 'policies' | undefined;
  readonly timezone: string | undefined;
  readonly maxAffected: number | undefined;
  /** Preferences nobody here knows: refused with `handling=strict`, else ignored (RFC 7240 §2). */
  readonly unknown: readonly string[];
}

type WordPreference = Exclude<keyof Preferences, 'timezone' | 'maxAffected' | 'unknown'>;

const words = new Map<string, readonly [WordPreference, string]>([
  ['resolution=merge-duplicates', ['resolution', 'merge-duplicates']],
  ['resolution=ignore-duplicates', ['resolution', 'ignore-duplicates']],
  ['missing=default', ['missing', 'default']],
  ['missing=null', ['missing', 'null']],
  ['return=minimal', ['representation', 'minimal']],
  ['return=headers-only', ['representation', 'headers-only']],
  ['return=representation', ['representation', 'representation']],
  ['count=exact', ['count', 'exact']],
  ['count=planned', ['count', 'planned']],
  ['count=estimated', ['count', 'estimated']],
  ['tx=commit', ['tx', 'commit']],
  ['tx=rollback', ['tx', 'rollback']],
  ['handling=strict', ['handling', 'strict']],
  ['handling=lenient', ['handling', 'lenient']],
  ['explain=policies', ['explain', 'policies']],
]);

const noPreferences: Preferences = {
  resolution: undefined,
  missing: undefined,
  representation: undefined,
  count: undefined,
  tx: undefined,
  handling: undefined,
  explain: undefined,
  timezone: undefined,
  maxAffected: undefined,
  unknown: [],
};

/** Parses a `Prefer` header; of a preference given twice the first counts. */
export function parsePrefer(header: string | undefined, txEnd: TxEnd): Preferences {
  if (!header) return noPreferences;
  const given = header.split(',').map((preference) => preference.trim());
  const preferences: Partial<Record<WordPreference, string>> = {};
  const unknown: string[] = [];
  for (const preference of given) {
    const [name, value] = words.get(preference) ?? [];
    if (name !== undefined) preferences[name] ??= value!;
    else if (!/^(?:timezone|max-affected)=/.test(preference)) unknown.push(preference);
  }
  if (!txEnd.endsWith('-allow-override')) delete preferences.tx;
  const maxAffected = valueOf(given, 'max-affected=');
  return {
    ...noPreferences,
    ...(preferences as Partial<Preferences>),
    timezone: valueOf(given, 'timezone='),
    maxAffected: /^-?\d{1,15}$/.test(maxAffected ?? '') ? Number(maxAffected) : undefined,
    unknown,
  };
}

function valueOf(preferences: readonly string[], prefix: string): string | undefined {
  return preferences.find((preference) => preference.startsWith(prefix))?.slice(prefix.length);
}
