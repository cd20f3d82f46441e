/** Writes a list of objects whose members are texts, byte by byte. */
export class JsonRows {
  /** What stands before each value. */
  private readonly names: readonly Buffer[];
  private bytes: Buffer;
  private length = 1;
  private rowStart = 1;

  /** @param sizeBytes  how large the list will be, as far as it can be told */
  constructor(names: readonly string[], sizeBytes: number) {
    this.bytes = Buffer.allocUnsafe(sizeBytes);
    this.names = names.map((name, i) => Buffer.from(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`));
    this.bytes[0] = openBracket;
  }

  get sizeBytes(): number {
    return this.length;
  }

  begin(): void {
    this.rowStart = this.length;
  }

  /** Forgets what was added since `begin`. */
  drop(): void {
    this.length = this.rowStart;
  }

  end(): void {
    this.reserve(2);
    this.bytes[this.length] = closeBrace;
    this.bytes[this.length + 1] = comma;
    this.length += 2;
  }

  /** Adds the `index`-th member, unless it has no name. @param isQuoted  quotes in it are doubled */
  add(index: number, from: Buffer, start: number, end: number, isQuoted: boolean): void {
    const name = this.names[index];
    if (name === undefined) return;
    this.reserve(name.length + 2 + longestEscape * (end - start));
    this.addBytes(name);
    if (isNull(from, start, end)) this.addBytes(nullWord);
    else this.addText(from, start, end, isQuoted);
  }

  /** The list, after the last row. */
  finish(): string {
    // The comma after the last row gives way.
    const end = this.length === 1 ? 1 : this.length - 1;
    this.reserve(1);
    this.bytes[end] = closeBracket;
    return this.bytes.toString('utf8', 0, end + 1);
  }

  private addBytes(added: Buffer): void {
    const bytes = this.bytes;
    const start = this.length;
    // For a few bytes a call costs more than a loop.
    if (added.length > 64) bytes.set(added, start);
    else for (let i = 0; i < added.length; i += 1) bytes[start + i] = added[i]!;
    this.length = start + added.length;
  }

  private addText(from: Buffer, start: number, end: number, isQuoted: boolean): void {
    const bytes = this.bytes;
    let length = this.length;
    bytes[length++] = quote;
    for (let i = start; i < end; i += 1) {
      const byte = from[i]!;
      if (byte < 0x20) {
        bytes[length] = backslash;
        bytes[length + 1] = 0x75;
        bytes[length + 2] = bytes[length + 3] = zero;
        bytes[length + 4] = zero + (byte >> 4);
        bytes[length + 5] = hexDigits[byte & 15]!;
        length += longestEscape;
        continue;
      }
      if (byte === quote || byte === backslash) bytes[length++] = backslash;
      if (byte === quote && isQuoted) i += 1;
      bytes[length++] = byte;
    }
    bytes[length++] = quote;
    this.length = length;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

function isNull(bytes: Buffer, start: number, end: number): boolean {
  return (
    end - start === 4 &&
    bytes[start] === 0x4e &&
    bytes[start + 1] === 0x55 &&
    bytes[start + 2] === 0x4c &&
    bytes[start + 3] === 0x4c
  );
}

const quote = 0x22;
const comma = 0x2c;
const zero = 0x30;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const closeBrace = 0x7d;
const nullWord = Buffer.from('null');
/** A control character, as `\u0001`. */
const longestEscape = 6;
const hexDigits = Buffer.from('0123456789abcdef');
