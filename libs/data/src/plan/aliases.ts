/** Name of the rows that a change or a function gave. */
export const sourceName = 'galley_source';
/** Name of the request body's rows. */
export const bodyName = 'galley_body';
/** Column that holds what a function without columns returned. */
export const scalarColumn = 'galley_scalar';

/** Name of the column that holds the i-th (from 0) output of what is joined to be spread. */
export function spreadColumn(i: number): string {
  return `c${i + 1}`;
}

/** PostgreSQL cuts identifiers at 63 bytes; this many characters leave room for a number at any encoding. */
const longestStem = 14;

/** Hands out table aliases that are unique within one statement. */
export class Aliases {
  readonly #used = new Set<string>([sourceName, bodyName]);
  #next = 0;

  /** The request's own table keeps its name, so that PostgreSQL's messages speak of `posts.title`. */
  constructor(readonly root: string) {
    this.#used.add(root);
  }

  forEmbed(name: string): string {
    let alias: string;
    do {
      this.#next += 1;
      alias = `${Array.from(name).slice(0, longestStem).join('')}_${this.#next}`;
    } while (this.#used.has(alias));
    this.#used.add(alias);
    return alias;
  }
}
