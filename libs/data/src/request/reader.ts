import { pgrstError } from '../errors.js';

/** Reads a text from left to right; what does not fit the grammar is PGRST100 with the column it happened at. */
export class Reader {
  position = 0;

  /**
   * @param what  named in the error, e.g. `select parameter`
   * @param before  characters that columns are counted from and `text` does not hold
   */
  constructor(
    readonly text: string,
    private readonly what: string,
    private readonly before = 0,
  ) {}

  get atEnd(): boolean {
    return this.position >= this.text.length;
  }

  get next(): string {
    return this.text.charAt(this.position);
  }

  startsWith(token: string): boolean {
    return this.text.startsWith(token, this.position);
  }

  /** Skips `token` if it comes next, and tells whether it did. */
  take(token: string): boolean {
    if (!this.startsWith(token)) return false;
    this.position += token.length;
    return true;
  }

  /** Skips `token`, which must come next. */
  expect(token: string): void {
    if (!this.take(token)) this.fail(`"${token}"`);
  }

  /** Takes what the sticky `pattern` matches here. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.position += found.length;
    return found;
  }

  skipSpace(): void {
    while (this.next === ' ' || this.next === '\t') this.position += 1;
  }

  rest(): string {
    const rest = this.text.slice(this.position);
    this.position = this.text.length;
    return rest;
  }

  /** Runs `parse`; when it gives undefined, goes back to where it began. */
  attempt<T>(parse: () => T | undefined): T | undefined {
    const start = this.position;
    const result = parse();
    if (result === undefined) this.position = start;
    return result;
  }

  fail(expected: string): never {
    // PostgREST's parser shows a character where a text is over, and a text elsewhere.
    const quote = expected.endsWith('end of input') ? "'" : '"';
    const unexpected = this.atEnd ? 'end of input' : `${quote}${this.next}${quote}`;
    const column = this.before + this.position + 1;
    throw pgrstError('PGRST100', {
      message: `"failed to parse ${this.what} (${this.text})" (line 1, column ${column})`,
      details: `unexpected ${unexpected} expecting ${expected}`,
    });
  }
}
