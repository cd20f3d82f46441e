import { limitError } from '../errors.js';
import { limits } from '../limits.js';
import { readField, readName, type Field } from './field.js';
import { Reader } from './reader.js';
import { readTypeName, type TypeName } from './type-name.js';

export type SelectItem = SelectStar | SelectField | SelectCount | SelectEmbed;

interface SelectStar {
  readonly kind: 'star';
}

/** `alias:column->path::cast.sum()::cast` */
export interface SelectField {
  readonly kind: 'field';
  readonly field: Field;
  readonly alias: string | undefined;
  readonly cast: TypeName | undefined;
  readonly aggregate: Aggregate | undefined;
}

/** `alias:count()::cast`: how many rows there are. */
interface SelectCount {
  readonly kind: 'count';
  readonly alias: string | undefined;
  readonly aggregate: Aggregate;
}

export interface Aggregate {
  readonly function: AggregateFunction;
  /** What the result is cast to. */
  readonly cast: TypeName | undefined;
}

type AggregateFunction = 'sum' | 'avg' | 'min' | 'max' | 'count';

/** `alias:table!hint!inner(…)`, or `...table!hint!inner(…)`, which has no alias. */
export interface SelectEmbed {
  readonly kind: 'embed';
  readonly relation: string;
  readonly alias: string | undefined;
  /** Foreign key, column or junction table that picks one of several relationships. */
  readonly hint: string | undefined;
  /** Leave out rows that have no related row. */
  readonly inner: boolean;
  /** Lift the related row's columns into the row it is embedded in. */
  readonly spread: boolean;
  readonly items: readonly SelectItem[];
}

const aggregatePattern = /\.(?:sum|avg|min|max|count)\(\)/y;

/**
 * Parses the `select` parameter; with nothing in it all columns are meant.
 * @throws AppError PGRST100
 */
export function parseSelect(text: string): SelectItem[] {
  const reader = new Reader(text, 'select parameter');
  reader.skipSpace();
  if (reader.atEnd) return [{ kind: 'star' }];
  // What follows the bracket of the last embedded table is passed over, as PostgREST does; a column ends in
  // nothing but a comma, that bracket or the end.
  return new SelectParser(reader).items(0);
}

class SelectParser {
  #count = 0;

  constructor(private readonly reader: Reader) {}

  items(depth: number): SelectItem[] {
    const { reader } = this;
    if (depth > limits.embedDepth) throw limitError('levels of embedding', limits.embedDepth);
    const items: SelectItem[] = [];
    reader.skipSpace();
    if (reader.atEnd || reader.next === ')') return items;
    do {
      reader.skipSpace();
      this.#count += 1;
      if (this.#count > limits.selectItems) throw limitError('items in select', limits.selectItems);
      items.push(this.#item(depth));
      reader.skipSpace();
    } while (reader.take(','));
    return items;
  }

  #item(depth: number): SelectItem {
    const { reader } = this;
    if (reader.take('...')) return this.#embed(undefined, true, depth) ?? reader.fail('"("');
    if (reader.take('*')) {
      expectEnd(reader, '")", "," or end of input');
      return { kind: 'star' };
    }
    const alias = reader.attempt(() => readAlias(reader));
    return readCount(reader, alias) ?? this.#embed(alias, false, depth) ?? readSelectField(reader, alias);
  }

  #embed(alias: string | undefined, spread: boolean, depth: number): SelectEmbed | undefined {
    const { reader } = this;
    const start = reader.position;
    const relation = readName(reader);
    const modifiers = readModifiers(reader);
    // `count` is no table, as a misspelt `count()` would be taken for one.
    if ((relation === 'count' && !spread) || !reader.take('(')) {
      if (!spread) reader.position = start;
      return undefined;
    }
    const items = this.items(depth + 1);
    reader.expect(')');
    return { kind: 'embed', relation, alias, ...modifiers, spread, items };
  }
}

function readAlias(reader: Reader): string | undefined {
  if (reader.next === ':') reader.fail('field name (* or [a..z0..9_$])');
  const alias = readName(reader);
  // `a::text` is a cast of `a`, not an alias.
  return reader.startsWith('::') || !reader.take(':') ? undefined : alias;
}

function readCount(reader: Reader, alias: string | undefined): SelectCount | undefined {
  if (!reader.take('count()')) return undefined;
  const cast = readCast(reader);
  expectEnd(reader, '"::", ")", "," or end of input');
  return { kind: 'count', alias, aggregate: { function: 'count', cast } };
}

function readSelectField(reader: Reader, alias: string | undefined): SelectField {
  const field = readField(reader);
  const cast = readCast(reader);
  const name = reader.match(aggregatePattern)?.slice(1, -2) as AggregateFunction | undefined;
  const aggregate = name && { function: name, cast: readCast(reader) };
  expectEnd(reader, 'letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input');
  return { kind: 'field', field, alias, cast, aggregate };
}

function readCast(reader: Reader): TypeName | undefined {
  return reader.take('::') ? readTypeName(reader) : undefined;
}

function expectEnd(reader: Reader, expected: string): void {
  reader.skipSpace();
  if (!reader.atEnd && reader.next !== ',' && reader.next !== ')') reader.fail(expected);
}

/** A hint and a kind of join, in either order; of two of a kind the first counts. */
function readModifiers(reader: Reader): { hint: string | undefined; inner: boolean } {
  const hints: string[] = [];
  const joins: string[] = [];
  while (hints.length + joins.length < 2 && reader.take('!')) {
    const modifier = readName(reader);
    (modifier === 'inner' || modifier === 'left' ? joins : hints).push(modifier);
  }
  return { hint: hints[0], inner: joins[0] === 'inner' };
}
