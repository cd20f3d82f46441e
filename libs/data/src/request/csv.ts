import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { JsonRows } from './json-rows.js';

/** Lines of CSV as a list of objects. */
export interface CsvRows {
  /** What the objects call each field, by its name: a long header is not to be repeated in each of them. */
  readonly members: ReadonlyMap<string, string>;
  readonly json: string;
}

/**
 * Writes CSV by RFC 4180 as JSON; lines may also end with LF or CR alone. There are no spaces around fields but their
 * own, empty lines are left out, and the word NULL stands for null. As in PostgREST, fields beyond those of the header
 * are passed over.
 * @throws AppError PGRST102 for what is no CSV, PGRST100 beyond a limit
 */
export function parseCsv(text: string): CsvRows {
  // Bytes, read and written one by one: a text of each field of a large body would hold up every other request.
  const reader = new CsvReader(Buffer.from(text));
  const header = readHeader(reader);
  const rows = new JsonRows(
    header.map((_, i) => memberName(i)),
    2 * text.length + 1,
  );
  let width: number | undefined;
  let isUneven = false;
  do {
    const count = copyLine(reader, rows);
    if (count === 0) continue;
    const fields = Math.min(count, header.length);
    width ??= fields;
    if (fields !== width) isUneven = true;
    if (rows.sizeBytes > limits.csvJsonBytes) throw limitError('bytes as JSON', limits.csvJsonBytes);
  } while (reader.takeLineEnd());
  if (!reader.atEnd) reader.fail('endOfInput');
  if (isUneven) throw pgrstError('PGRST102', { message: 'All lines must have same number of fields' });
  // Of a repeated name the last field counts.
  const members = new Map(header.slice(0, width ?? 0).map((name, i) => [name, memberName(i)]));
  return { members, json: rows.finish() };
}

function memberName(index: number): string {
  return index.toString(36);
}

function readHeader(reader: CsvReader): string[] {
  const header: string[] = [];
  do {
    if (header.length === limits.columns) throw limitError('fields in its lines', limits.columns);
    reader.readField();
    header.push(reader.field);
  } while (reader.takeComma());
  if (!reader.takeLineEnd()) reader.fail('not enough input');
  return header;
}

/** Tells how many fields the line has; none when it is empty. */
function copyLine(reader: CsvReader, rows: JsonRows): number {
  if (reader.atLineEnd) return 0;
  let count = 0;
  rows.begin();
  do {
    reader.readField();
    rows.add(count, reader.bytes, reader.start, reader.end, reader.isQuoted);
    count += 1;
  } while (reader.takeComma());
  if (count === 1 && reader.start === reader.end) {
    rows.drop();
    return 0;
  }
  rows.end();
  return count;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
const comma = 0x2c;

class CsvReader {
  private position = 0;
  /** Where the last field is, inside of its quotes. */
  start = 0;
  end = 0;
  isQuoted = false;

  constructor(readonly bytes: Buffer) {}

  get atEnd(): boolean {
    return this.position >= this.bytes.length;
  }

  get atLineEnd(): boolean {
    const byte = this.bytes[this.position];
    return byte === lineFeed || byte === carriageReturn;
  }

  get field(): string {
    const text = this.bytes.toString('utf8', this.start, this.end);
    return this.isQuoted ? text.replaceAll('""', '"') : text;
  }

  readField(): void {
    this.isQuoted = this.bytes[this.position] === quote;
    if (this.isQuoted) this.readQuoted();
    else this.readPlain();
  }

  takeComma(): boolean {
    if (this.bytes[this.position] !== comma) return false;
    this.position += 1;
    return true;
  }

  takeLineEnd(): boolean {
    if (!this.atLineEnd) return false;
    const isPair = this.bytes[this.position] === carriageReturn && this.bytes[this.position + 1] === lineFeed;
    this.position += isPair ? 2 : 1;
    return true;
  }

  fail(problem: string): never {
    // A character takes at most four bytes.
    const rest = this.bytes.toString('utf8', this.position, this.position + 404);
    const where = rest.length > 100 ? `${rest.slice(0, 100)} (truncated)` : JSON.stringify(rest);
    throw pgrstError('PGRST102', { message: `parse error (${problem}) at ${where}` });
  }

  private readPlain(): void {
    const { bytes } = this;
    let end = this.position;
    while (end < bytes.length && !isPlainEnd(bytes[end]!)) end += 1;
    this.start = this.position;
    this.end = end;
    this.position = end;
  }

  /** Ends at the first quote that is not doubled. */
  private readQuoted(): void {
    const { bytes } = this;
    let end = this.position + 1;
    while (end < bytes.length) {
      if (bytes[end] !== quote) end += 1;
      else if (bytes[end + 1] === quote) end += 2;
      else break;
    }
    if (end >= bytes.length) this.fail('not enough input');
    this.start = this.position + 1;
    this.end = end;
    this.position = end + 1;
  }
}

function isPlainEnd(byte: number): boolean {
  return byte === comma || byte === quote || byte === lineFeed || byte === carriageReturn;
}
