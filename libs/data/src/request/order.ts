import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { readField, readName, type Field } from './field.js';
import { Reader } from './reader.js';

export interface OrderTerm {
  readonly field: Field;
  /** The embedded to-one table the field is of: `author(name)`. */
  readonly embed: string | undefined;
  readonly direction: 'asc' | 'desc' | undefined;
  readonly nulls: 'first' | 'last' | undefined;
}

/** Parses `name.desc.nullslast,author(name)`. */
export function parseOrder(value: string): OrderTerm[] {
  const reader = new Reader(value, 'order');
  const terms: OrderTerm[] = [];
  do {
    terms.push(readTerm(reader));
    if (terms.length > limits.orderTerms) throw limitError('terms in order', limits.orderTerms);
  } while (reader.take(','));
  return terms;
}

function readTerm(reader: Reader): OrderTerm {
  reader.skipSpace();
  const embedded = reader.attempt(() => {
    const embed = readName(reader);
    if (!reader.take('(')) return undefined;
    const field = readField(reader);
    return reader.take(')') ? { embed, field } : undefined;
  });
  const { embed, field } = embedded ?? { embed: undefined, field: readField(reader) };
  const direction = reader.take('.asc') ? 'asc' : reader.take('.desc') ? 'desc' : undefined;
  const nulls = reader.take('.nullsfirst') ? 'first' : reader.take('.nullslast') ? 'last' : undefined;
  if (!reader.atEnd && reader.next !== ',') refuseRest(reader, { embed, field, direction, nulls });
  return { field, embed, direction, nulls };
}

/** Says what could have stood instead of what comes next, in PostgREST's words. */
function refuseRest(reader: Reader, { embed, direction, nulls }: OrderTerm): never {
  if (nulls === undefined && reader.take('.')) {
    const words = direction ? ['nullsfirst', 'nullslast'] : ['asc', 'desc', 'nullsfirst', 'nullslast'];
    let end = 0;
    while (words[0]![end] === reader.text[reader.position + end]) end += 1;
    const unexpected = reader.text[reader.position + end];
    const found = unexpected === undefined ? 'end of input' : JSON.stringify(unexpected);
    const expected = words.map((word) => `"${word}"`);
    fail(reader, found, `${expected.slice(0, -1).join(', ')} or ${expected.at(-1)}`);
  }
  const ahead = nulls
    ? ''
    : direction || embed !== undefined
      ? 'delimiter (.), '
      : 'letter, digit, "-", "->>", "->", delimiter (.), ';
  fail(reader, `'${reader.next}'`, `${ahead}"," or end of input`);
}

function fail(reader: Reader, unexpected: string, expected: string): never {
  throw pgrstError('PGRST100', {
    message: `"failed to parse order (${reader.text})" (line 1, column ${reader.position + 1})`,
    details: `unexpected ${unexpected} expecting ${expected}`,
  });
}
