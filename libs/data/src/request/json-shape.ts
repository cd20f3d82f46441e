import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import { RowKeys } from './row-keys.js';

/** What a JSON text is of. Its values stay with the text. */
export interface JsonShape {
  readonly kind: 'object' | 'list' | 'value';
  /** Names of the members of the object, or of the first one of the list. */
  readonly keys: readonly string[];
  /** A list of anything but objects with the same members. */
  readonly isUneven: boolean;
}

/**
 * Reads JSON (RFC 8259) once, keeping nothing but the names of the rows' members: values of a body of many megabytes
 * would hold up every other request while they are made.
 * @param mostKeys  of these and one more the names are told
 * @throws AppError PGRST102 for what `JSON.parse` refuses, PGRST100 for what nests too deep
 */
export function jsonShape(text: string, mostKeys: number): JsonShape {
  return new Scanner(text, new RowKeys(text, charsOf(text), mostKeys)).scan();
}

/** Faster to read one by one than the text. */
function charsOf(text: string): Uint16Array {
  const bytes = Buffer.from(text, 'utf16le');
  return new Uint16Array(bytes.buffer, bytes.byteOffset, text.length);
}

/** Its members are not private by `#`, which Node 20 checks at each use: half of the time of a large body. */
class Scanner {
  private position = 0;
  /** For each level that is open whether it is an object. */
  private open = new Uint8Array(limits.bodyNesting);

  private readonly chars: Uint16Array;

  constructor(
    private readonly text: string,
    private readonly keys: RowKeys,
  ) {
    this.chars = keys.chars;
  }

  scan(): JsonShape {
    const first = this.next();
    const kind = first === openBrace ? 'object' : first === openBracket ? 'list' : 'value';
    if (kind === 'object') this.row();
    else if (kind === 'list') this.rows();
    else this.value();
    this.next();
    if (this.position < this.text.length) fail();
    return { kind, keys: this.keys.names, isUneven: this.keys.areUnlike };
  }

  private rows(): void {
    this.position += 1;
    if (this.take(closeBracket)) return;
    do {
      if (this.next() === openBrace) this.row();
      else {
        this.keys.areUnlike = true;
        this.value();
      }
    } while (this.take(comma));
    this.expect(closeBracket);
  }

  private row(): void {
    this.position += 1;
    this.keys.beginRow();
    if (!this.take(closeBrace)) {
      do {
        this.next();
        const start = this.position + 1;
        this.string();
        this.keys.add(start, this.position - 1);
        this.expect(colon);
        this.value();
      } while (this.take(comma));
      this.expect(closeBrace);
    }
    this.keys.endRow();
  }

  /** Not by recursion: the stack may be in use already. */
  private value(): void {
    let depth = 0;
    for (;;) {
      const char = this.next();
      const isObject = char === openBrace;
      if (isObject || char === openBracket) {
        this.position += 1;
        if (!this.take(isObject ? closeBrace : closeBracket)) {
          this.setOpen(depth, isObject);
          depth += 1;
          if (isObject) this.name();
          continue;
        }
      } else this.scalar(char);
      while (depth > 0 && !this.take(comma)) {
        depth -= 1;
        this.expect(this.open[depth] === 1 ? closeBrace : closeBracket);
      }
      if (depth === 0) return;
      if (this.open[depth - 1] === 1) this.name();
    }
  }

  private setOpen(depth: number, isObject: boolean): void {
    if (depth === this.open.length) throw limitError('lists and objects in each other', limits.bodyNesting);
    this.open[depth] = isObject ? 1 : 0;
  }

  private name(): void {
    this.next();
    this.string();
    this.expect(colon);
  }

  private scalar(first: number): void {
    if (first === quote) this.string();
    else if (first === 0x74) this.word('true');
    else if (first === 0x66) this.word('false');
    else if (first === 0x6e) this.word('null');
    else this.number();
  }

  private word(word: string): void {
    if (!this.text.startsWith(word, this.position)) fail();
    this.position += word.length;
  }

  private number(): void {
    if (this.char === minus) this.position += 1;
    if (this.char === zero) this.position += 1;
    else this.digits();
    if (this.char === dot) {
      this.position += 1;
      this.digits();
    }
    if ((this.char | lowerCase) !== 0x65) return;
    this.position += 1;
    if (this.char === plus || this.char === minus) this.position += 1;
    this.digits();
  }

  private digits(): void {
    const start = this.position;
    while (this.char >= zero && this.char <= nine) this.position += 1;
    if (this.position === start) fail();
  }

  private string(): void {
    const chars = this.chars;
    if (this.char !== quote) fail();
    let position = this.position + 1;
    for (;;) {
      const char = chars[position]!;
      if (char === quote) break;
      // Undefined past the end.
      if (!(char >= space)) fail();
      position += char === backslash ? this.escapeLength(position) : 1;
    }
    this.position = position + 1;
  }

  private escapeLength(position: number): number {
    const char = this.text[position + 1];
    if (char === undefined || !'"\\/bfnrtu'.includes(char)) fail();
    if (char !== 'u') return 2;
    for (let i = position + 2; i < position + 6; i += 1) {
      const digit = this.chars[i]!;
      const letter = digit | lowerCase;
      if (!((digit >= zero && digit <= nine) || (letter >= 0x61 && letter <= 0x66))) fail();
    }
    return 6;
  }

  private get char(): number {
    return this.chars[this.position]!;
  }

  /** The next character that is no space. */
  private next(): number {
    const chars = this.chars;
    let position = this.position;
    let char = chars[position]!;
    while (char === space || char === 0x0a || char === 0x0d || char === 0x09) char = chars[++position]!;
    this.position = position;
    return char;
  }

  private take(char: number): boolean {
    if (this.next() !== char) return false;
    this.position += 1;
    return true;
  }

  private expect(char: number): void {
    if (!this.take(char)) fail();
  }
}

const space = 0x20;
const quote = 0x22;
const plus = 0x2b;
const comma = 0x2c;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
/** Makes a letter of ASCII a small one. */
const lowerCase = 0x20;

function fail(): never {
  throw pgrstError('PGRST102', { message: 'Empty or invalid json' });
}
