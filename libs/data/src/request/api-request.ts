import type { Condition, EmbedPath } from './filter.js';
import type { MediaType } from './media-type.js';
import type { OrderTerm } from './order.js';
import type { RawPayload, RowsPayload } from './payload.js';
import type { Preferences } from './prefer.js';
import type { RowRange } from './range.js';
import type { SelectItem } from './select.js';

/**
 * What a client asks for, as far as it can be told without looking at the database: names are not known to
 * exist and combinations not known to make sense. That is the plan's business.
 */
export interface ApiRequest {
  readonly action: Action;
  readonly schema: string;
  /** The client named the schema by `Accept-Profile` or `Content-Profile`; the response repeats it. */
  readonly schemaWasNamed: boolean;
  /** Table, view or function. */
  readonly target: string;
  /** Raw query string. */
  readonly query: string;
  /** HEAD: everything but the body. */
  readonly headersOnly: boolean;
  readonly select: readonly SelectItem[];
  readonly conditions: readonly At<Condition>[];
  readonly orders: readonly At<readonly OrderTerm[]>[];
  /** Ranges of embedded tables. */
  readonly embedRanges: readonly At<RowRange>[];
  /** Range of the request's own table, from `limit`, `offset` and the `Range` header. */
  readonly range: RowRange;
  /** `columns=`: what of the body is taken. */
  readonly columns: readonly string[] | undefined;
  readonly onConflict: readonly string[] | undefined;
  /** Arguments of a function called by GET or with a form, in the order they were given. */
  readonly arguments: readonly (readonly [name: string, value: string])[];
  readonly payload: RowsPayload | RawPayload | undefined;
  /** Media types of the response, the most wanted first. */
  readonly accepted: readonly MediaType[];
  readonly preferences: Preferences;
}

/** `upsert` (PUT) is of one row; `call` by POST may write, `callRead` (GET, HEAD) may not. */
export type Action = 'read' | 'insert' | 'update' | 'upsert' | 'delete' | 'call' | 'callRead';

/** Something said of the request's own table (empty path) or of an embedded one. */
export interface At<T> {
  readonly path: EmbedPath;
  readonly value: T;
}
