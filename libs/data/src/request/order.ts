import { limitError } from '../errors.js';
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
  if (!reader.atEnd) reader.fail('"," or end of input');
  return terms;
}

function readTerm(reader: Reader): OrderTerm {
  reader.skipSpace();
  const embedded = reader.attempt(() => {
    const embed = readName(reader);
    if (!reader.take('(')) return undefined;
    const field = readField(reader);
    reader.expect(')');
    return { embed, field };
  });
  const { embed, field } = embedded ?? { embed: undefined, field: readField(reader) };
  const direction = reader.take('.asc') ? 'asc' : reader.take('.desc') ? 'desc' : undefined;
  const nulls = reader.take('.nullsfirst') ? 'first' : reader.take('.nullslast') ? 'last' : undefined;
  reader.skipSpace();
  if (reader.next === '.') {
    reader.fail(direction ? '"nullsfirst" or "nullslast"' : '"asc", "desc", "nullsfirst" or "nullslast"');
  }
  return { field, embed, direction, nulls };
}
