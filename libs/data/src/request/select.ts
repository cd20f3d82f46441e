import { limitError, notImplemented, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { readField, readName, type Field } from './field.js';
import { Reader } from './reader.js';
import { readTypeName, type TypeName } from './type-name.js';

export type SelectItem = SelectStar | SelectField | SelectEmbed;

interface SelectStar {
  readonly kind: 'star';
}

/** `alias:column->path::cast` */
export interface SelectField {
  readonly kind: 'field';
  readonly field: Field;
  readonly alias: string | undefined;
  readonly cast: TypeName | undefined;
}

/** `alias:table!hint!inner(…)` */
export interface SelectEmbed {
  readonly kind: 'embed';
  readonly relation: string;
  readonly alias: string | undefined;
  /** Foreign key, column or junction table that picks one of several relationships. */
  readonly hint: string | undefined;
  /** Leave out rows that have no related row. */
  readonly inner: boolean;
  readonly items: readonly SelectItem[];
}

const aggregatePattern = /\.(?:sum|avg|min|max|count)\(\)/y;
const countPattern = /count\(\)/y;

/**
 * Parses the `select` parameter.
 * @throws AppError PGRST100; PGRST123 for aggregate functions; PGRST127 for spread (`...table()`).
 */
export function parseSelect(text: string): SelectItem[] {
  if (text === '*') return [{ kind: 'star' }];
  const reader = new Reader(text, 'select parameter');
  const items = new SelectParser(reader).items(0);
  if (!reader.atEnd) reader.fail('"," or end of input');
  return items;
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
    if (reader.startsWith('...'))
      throw notImplemented('Spreading embedded tables with "..." is not available');
    if (reader.take('*')) return { kind: 'star' };
    const alias = reader.attempt(() => readAlias(reader));
    if (reader.match(countPattern)) throw aggregateError();
    return this.#embed(alias, depth) ?? this.#field(alias);
  }

  #embed(alias: string | undefined, depth: number): SelectEmbed | undefined {
    const { reader } = this;
    return reader.attempt(() => {
      const relation = readName(reader);
      const modifiers = readModifiers(reader);
      if (!reader.take('(')) return undefined;
      const items = this.items(depth + 1);
      reader.expect(')');
      return { kind: 'embed', relation, alias, ...modifiers, items };
    });
  }

  #field(alias: string | undefined): SelectField {
    const { reader } = this;
    const field = readField(reader);
    const cast = reader.take('::') ? readTypeName(reader) : undefined;
    if (reader.match(aggregatePattern)) throw aggregateError();
    if (!reader.atEnd && reader.next !== ',' && reader.next !== ')') {
      reader.fail('"->", "::", "(", ")", "," or end of input');
    }
    return { kind: 'field', field, alias, cast };
  }
}

function readAlias(reader: Reader): string | undefined {
  if (reader.next === ':') reader.fail('a name');
  const alias = readName(reader);
  // `a::text` is a cast of `a`, not an alias.
  return reader.startsWith('::') || !reader.take(':') ? undefined : alias;
}

function readModifiers(reader: Reader): { hint: string | undefined; inner: boolean } {
  let hint: string | undefined;
  let inner = false;
  while (reader.take('!')) {
    const modifier = readName(reader);
    if (modifier === 'inner') inner = true;
    else if (modifier !== 'left') hint = modifier;
  }
  return { hint, inner };
}

/** PostgREST's answer unless its operator allows aggregates (`db-aggregates-enabled`, off by default). */
function aggregateError() {
  return pgrstError('PGRST123', { message: 'Use of aggregate functions is not allowed' });
}
