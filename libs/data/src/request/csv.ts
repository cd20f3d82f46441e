import { pgrstError } from '../errors.js';

/** Fields of each line, of which the first names them. */
export interface Csv {
  readonly header: readonly string[];
  /** Empty lines left out. */
  readonly lines: readonly (readonly string[])[];
}

/**
 * Parses CSV by RFC 4180; lines may also end with LF or CR alone. There are no spaces around fields but their own.
 * @throws AppError PGRST102
 */
export function parseCsv(text: string): Csv {
  const reader = new CsvReader(text);
  const header = reader.readLine();
  if (!reader.takeLineEnd()) reader.fail('not enough input');
  const lines: string[][] = [];
  do {
    const line = reader.readLine();
    if (line.length > 1 || line[0] !== '') lines.push(line);
  } while (reader.takeLineEnd());
  if (!reader.atEnd) reader.fail('endOfInput');
  return { header, lines };
}

const plainPattern = /[^",\r\n]*/y;
const lineEndPattern = /\r\n|\n|\r/y;

class CsvReader {
  #position = 0;

  constructor(private readonly text: string) {}

  get atEnd(): boolean {
    return this.#position >= this.text.length;
  }

  readLine(): string[] {
    const fields = [this.#readField()];
    while (this.text[this.#position] === ',') {
      this.#position += 1;
      fields.push(this.#readField());
    }
    return fields;
  }

  takeLineEnd(): boolean {
    return this.#match(lineEndPattern) !== null;
  }

  fail(problem: string): never {
    const rest = this.text.slice(this.#position);
    const where = rest.length > 100 ? `${rest.slice(0, 100)} (truncated)` : JSON.stringify(rest);
    throw pgrstError('PGRST102', { message: `parse error (${problem}) at ${where}` });
  }

  #readField(): string {
    return this.text[this.#position] === '"' ? this.#readQuoted() : this.#match(plainPattern)![0];
  }

  /** Ends at the first quote that is not doubled. */
  #readQuoted(): string {
    const start = this.#position + 1;
    let end = this.text.indexOf('"', start);
    while (end !== -1 && this.text[end + 1] === '"') end = this.text.indexOf('"', end + 2);
    if (end === -1) this.fail('not enough input');
    this.#position = end + 1;
    return this.text.slice(start, end).replaceAll('""', '"');
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.text);
    if (match) this.#position = pattern.lastIndex;
    return match;
  }
}
