/** A statement ready to run: names are quoted in `text`, everything a client sent is in `values`. */
export interface SqlQuery {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Must not write. */
  readonly readOnly: boolean;
  readonly estimate: Estimate | undefined;
}

/** An EXPLAIN that tells how many rows the whole result may have. */
export interface Estimate {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Asked only when more rows than this were counted. */
  readonly above: number;
}

/** The one row that every statement gives. */
export interface ResultRow {
  readonly body: string;
  /** Rows in the body: PostgreSQL's bigint, as text. */
  readonly page_total: string;
  /** Rows in all, where they were counted. */
  readonly total: string | null;
  /** Names and values of the columns that identify a single new row. */
  readonly location: Location | null;
  /** Rows that an upsert inserted rather than merged. */
  readonly inserted: string | null;
  /** Rows that were changed, where the body may leave out some of them. */
  readonly changed?: string;
  /** The settings `response.headers` and `response.status`, which functions, triggers and policies may have made. */
  readonly response_headers: string | null;
  readonly response_status: string | null;
}

type Location = readonly (readonly [column: string, value: string | null])[];

/** Collects the parameters of a statement while its text is written. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Adds a value and gives what stands for it in the text. PostgreSQL infers its type from where it stands. */
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}
