import { quoteIdent } from '#libs/platform';
import type { TypeName } from '../request/type-name.js';

// What PostgreSQL's grammar knows and not, or as something else, its catalogue (manual, table 8.1): `char` and `bit` are of
// length 1 and "bpchar" and "bit" of any, and of `interval(3)` the seconds have three decimals.
const spelledPattern = new RegExp(
  `^(?:int|integer|smallint|bigint|real|float|double precision|decimal|dec|boolean|bit(?: varying)?|` +
    `(?:nchar|(?:national )?char(?:acter)?)(?: varying)?|time(?:stamp)? with(?:out)? time zone|` +
    `interval(?: (?:year|month|day|hour|minute|second)(?: to (?:month|hour|minute|second))?)?)$`,
);

/** A type to cast to: a name of the catalogue quoted, one of the grammar as it is. */
export function typeSql({ schema, name, modifiers, array }: TypeName): string {
  const length = modifiers.length === 0 ? '' : `(${modifiers.join(',')})`;
  const suffix = array ? '[]' : '';
  if (schema !== undefined) return `${quoteIdent(schema)}.${quoteIdent(name)}${length}${suffix}`;
  if (!spelledPattern.test(name)) return `${quoteIdent(name)}${length}${suffix}`;
  // `timestamp(3) with time zone`
  const [, word = name, zone = ''] = /^(\w+)( with(?:out)? time zone)$/.exec(name) ?? [];
  return `${word}${length}${zone}${suffix}`;
}
