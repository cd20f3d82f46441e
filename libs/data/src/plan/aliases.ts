// Names that statements have of their own. Tables are called by their schema, too, and columns by the name of their rows,
// so none of these hides one; only rows of a table or function of the same name would be two of one name.
/** The rows that a change or a function gave. */
export const sourceName = 'galley_source';
/** The request body's rows. */
export const bodyName = 'galley_body';
/** One object of the body, as a whole. */
export const itemName = 'galley_item';
/** A row of the response, or of what is embedded in one. */
export const rowName = 'galley_row';
/** All of the response's rows, where they are needed twice. */
export const rowsName = 'galley_rows';
/** What is counted. */
export const matchName = 'galley_match';
/** Column that holds what a function without columns returned. */
export const scalarColumn = 'galley_scalar';

/** The last one is PostgreSQL's, for the row that an insert would have added. */
const ownNames = [sourceName, bodyName, itemName, rowName, rowsName, matchName, 'excluded'];

/** Name of the column that holds the i-th (from 0) output of what is joined to be spread. */
export function spreadColumn(i: number): string {
  return `c${i + 1}`;
}

/** PostgreSQL cuts identifiers at 63 bytes; this many characters leave room for a number at any encoding. */
const longestStem = 14;

/** Hands out table aliases that are unique within one statement. */
export class Aliases {
  readonly #used = new Set(ownNames);
  #next = 0;
  /** The request's own table keeps its name, so that PostgreSQL's messages speak of `posts.title`. */
  readonly root: string;

  constructor(name: string) {
    this.root = this.#used.has(name) ? this.forEmbed(name) : name;
    this.#used.add(this.root);
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
