import { limitError } from '../errors.js';
import { limits } from '../limits.js';
import type { Reader } from './reader.js';

/** A column, or a value inside a JSON column: `data->address->>city`. */
export interface Field {
  readonly column: string;
  readonly jsonPath: readonly JsonStep[];
}

export interface JsonStep {
  /** `->` gives JSON, `->>` text. */
  readonly arrow: '->' | '->>';
  /** A string is an object's key, a number an array's index. */
  readonly key: string | number;
}

// Letters, digits, `_`, `$` and inner spaces; dashes too, but not the one of an arrow.
const namePattern = /[\p{L}\p{N}_$ ]+(?:-(?!>)[\p{L}\p{N}_$ ]+)*/uy;
const jsonKeyPattern = /[^(\-:.,>)]+(?:-(?!>)[^(\-:.,>)]+)*/uy;
const jsonIndexPattern = /-?\d{1,9}(?=->|::|[.,)]|$)/y;

/** A name as it is, or in double quotes with `\` before what is to be taken literally. */
export function readName(reader: Reader): string {
  if (reader.next === '"') return readQuoted(reader);
  const name = reader.match(namePattern)?.trim();
  if (!name) reader.fail('field name (* or [a..z0..9_$])');
  return name;
}

function readQuoted(reader: Reader): string {
  reader.expect('"');
  let text = '';
  while (!reader.take('"')) {
    if (reader.next === '\\') reader.position += 1;
    if (reader.atEnd) reader.fail('"\\""');
    text += reader.next;
    reader.position += 1;
  }
  return text;
}

export function readField(reader: Reader): Field {
  reader.skipSpace();
  const column = readName(reader);
  const jsonPath = readJsonPath(reader);
  reader.skipSpace();
  return { column, jsonPath };
}

export function readJsonPath(reader: Reader): JsonStep[] {
  const steps: JsonStep[] = [];
  for (;;) {
    const arrow = reader.take('->>') ? '->>' : reader.take('->') ? '->' : undefined;
    if (!arrow) return steps;
    if (steps.length === limits.jsonPathSteps)
      throw limitError('arrows in a JSON path', limits.jsonPathSteps);
    steps.push({ arrow, key: readJsonKey(reader) });
  }
}

function readJsonKey(reader: Reader): string | number {
  if (reader.next === '"') return readQuoted(reader);
  const index = reader.match(jsonIndexPattern);
  if (index !== undefined) return Number(index);
  const key = reader.match(jsonKeyPattern)?.trim();
  if (key) return key;
  if (reader.take('-')) reader.fail('digit');
  return reader.fail('"-", digit or any non reserved character different from: .,>()');
}

/** A comma-separated list of names, as in `columns=` and `on_conflict=`. */
export function readNames(reader: Reader): string[] {
  const names: string[] = [];
  do {
    reader.skipSpace();
    names.push(readName(reader));
    reader.skipSpace();
    if (names.length > limits.columns) throw limitError('columns in a list', limits.columns);
  } while (reader.take(','));
  if (!reader.atEnd) reader.fail('"," or end of input');
  return names;
}
