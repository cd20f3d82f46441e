import type { Reader } from './reader.js';

/** A PostgreSQL type to cast to, already taken apart so that every name can be quoted. */
export interface TypeName {
  readonly schema: string | undefined;
  readonly name: string;
  /** As in `numeric(10,2)`. */
  readonly modifiers: readonly number[];
  readonly array: boolean;
}

// The names that PostgreSQL's grammar, not its catalogue, knows (manual, table 8.1): quoted they would not be found.
const catalogueNames = new Map([
  ['int', 'int4'],
  ['integer', 'int4'],
  ['smallint', 'int2'],
  ['bigint', 'int8'],
  ['real', 'float4'],
  ['float', 'float8'],
  ['double precision', 'float8'],
  ['decimal', 'numeric'],
  ['dec', 'numeric'],
  ['boolean', 'bool'],
  ['char', 'bpchar'],
  ['character', 'bpchar'],
  ['character varying', 'varchar'],
  ['bit varying', 'varbit'],
  ['timestamp without time zone', 'timestamp'],
  ['timestamp with time zone', 'timestamptz'],
  ['time without time zone', 'time'],
  ['time with time zone', 'timetz'],
]);

const wordsPattern = /[\p{L}_][\p{L}\p{N}_$]*(?: +[\p{L}_][\p{L}\p{N}_$]*)*/uy;
// The dot before an aggregate function is not the one after a schema.
const schemaDotPattern = /\.(?!(?:sum|avg|min|max|count)\(\))/y;
const modifiersPattern = /\(\d{1,5}(?:, *\d{1,5})?\)/y;

export function readTypeName(reader: Reader): TypeName {
  const first = readWords(reader);
  const second = reader.match(schemaDotPattern) ? readWords(reader) : undefined;
  const modifiers = (reader.match(modifiersPattern) ?? '').match(/\d+/g) ?? [];
  const array = reader.take('[]');
  reader.skipSpace();
  return {
    schema: second === undefined ? undefined : first,
    name: second ?? catalogueNames.get(first) ?? first,
    modifiers: modifiers.map(Number),
    array,
  };
}

function readWords(reader: Reader): string {
  const words = reader.match(wordsPattern);
  if (!words) reader.fail('the name of a type');
  return words.trim().replace(/ +/g, ' ').toLowerCase();
}
