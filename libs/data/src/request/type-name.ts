import type { Reader } from './reader.js';

/** A PostgreSQL type to cast to, already taken apart so that every name can be quoted. */
export interface TypeName {
  readonly schema: string | undefined;
  /** In lower case; of the types that PostgreSQL's grammar knows it may be several words. */
  readonly name: string;
  /** As in `numeric(10,2)`. */
  readonly modifiers: readonly number[];
  readonly array: boolean;
}

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
    name: second ?? first,
    modifiers: modifiers.map(Number),
    array,
  };
}

function readWords(reader: Reader): string {
  const words = reader.match(wordsPattern);
  if (!words) reader.fail('the name of a type');
  return words.trim().replace(/ +/g, ' ').toLowerCase();
}
