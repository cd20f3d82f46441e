/** Collects the names of the members of one row, and finds out whether other rows have the same, in whatever order. */
export class RowKeys {
  readonly names: string[] = [];
  areUnlike = false;
  private readonly indexOfName = new Map<string, number>();
  /** By the index of a name where it stood last, as it was written. */
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  /** By the index of a name, and last for the first of a row, what followed last: most rows are in the same order. */
  private readonly following: number[] = [];
  /** The last row in which a name was. */
  private readonly seenIn: number[] = [];
  private row = 0;
  private seen = 0;
  private last = beforeFirst;
  private first = 0;

  /**
   * @param chars  those of the text
   * @param mostNames  of more than these but one is collected, and nothing is compared
   */
  constructor(
    private readonly text: string,
    readonly chars: Uint16Array,
    private readonly mostNames: number,
  ) {}

  private get areTooMany(): boolean {
    return this.names.length > this.mostNames;
  }

  beginRow(): void {
    this.row += 1;
    this.seen = 0;
    this.last = beforeFirst;
  }

  endRow(): void {
    if (this.seen !== this.names.length && !this.areTooMany) this.areUnlike = true;
  }

  /** @param start  where the name begins in the text, after its quote */
  add(start: number, end: number): void {
    if (this.areUnlike || this.areTooMany) return;
    const expected = this.last === beforeFirst ? this.first : this.following[this.last]!;
    const index = this.isAt(expected, start, end) ? expected : this.find(start, end);
    if (index === undefined) {
      this.areUnlike = true;
      return;
    }
    if (this.last === beforeFirst) this.first = index;
    else this.following[this.last] = index;
    this.last = index;
    if (this.seenIn[index] === this.row) return;
    this.seenIn[index] = this.row;
    this.seen += 1;
  }

  private isAt(index: number, start: number, end: number): boolean {
    const known = this.starts[index];
    if (known === undefined || this.ends[index]! - known !== end - start) return false;
    const { chars } = this;
    for (let i = start; i < end; i += 1) {
      if (chars[i] !== chars[known + i - start]) return false;
    }
    return true;
  }

  private find(start: number, end: number): number | undefined {
    const written = this.text.slice(start, end);
    const name = written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written;
    let index = this.indexOfName.get(name);
    if (index === undefined) {
      if (this.row > 1) return undefined;
      index = this.names.push(name) - 1;
      this.indexOfName.set(name, index);
      this.following[index] = index + 1;
      this.seenIn[index] = 0;
    }
    this.starts[index] = start;
    this.ends[index] = end;
    return index;
  }
}

const beforeFirst = -1;
