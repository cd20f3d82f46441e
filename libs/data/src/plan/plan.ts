import type { Operation } from '../request/filter.js';
import type { JsonStep } from '../request/field.js';
import type { PlanMediaType } from '../request/media-type.js';
import type { OrderTerm } from '../request/order.js';
import type { RowsPayload } from '../request/payload.js';
import type { Preferences } from '../request/prefer.js';
import type { RowRange } from '../request/range.js';
import type { Aggregate } from '../request/select.js';
import type { TypeName } from '../request/type-name.js';
import type {
  Column,
  DatabaseFunction,
  MediaHandler,
  QualifiedName,
  Relationship,
  Representation,
  Table,
} from '../schema-cache/schema-cache.js';

/** One statement to be, with every name resolved against one schema snapshot. */
export type Plan = ReadPlan | MutatePlan | CallPlan;

/** What all plans say of the response. */
interface Outcome {
  /** What the response shows. */
  readonly rows: RowsPlan;
  /** How the body is written; undefined: none is wanted. */
  readonly output: BodyFormat | undefined;
  /** Value of `Content-Type`. */
  readonly contentType: string;
  /** The statement is not answered, but how PostgreSQL carries it out. */
  readonly explain: PlanMediaType | undefined;
  /** How the rows outside the page are counted, if at all. */
  readonly count: Preferences['count'];
  readonly expected: RowExpectation;
}

/** How rows are written into the response body. */
export type BodyFormat =
  | {
      readonly kind: 'json';
      /** The only row, instead of a list. */
      readonly isObject: boolean;
      /** Leave null members out of objects. */
      readonly stripNulls: boolean;
    }
  | { readonly kind: 'csv' }
  | { readonly kind: 'geojson' }
  | { readonly kind: 'custom'; readonly handler: MediaHandler };

/** How many rows may come of a statement before it is undone. */
interface RowExpectation {
  readonly exactlyOne: boolean;
  /** `max-affected` */
  readonly atMost: number | undefined;
  /** PUT is of one row. */
  readonly putOne?: boolean;
  /** `limit` of a change whose rows may not be told apart. */
  readonly changeLimit?: number | undefined;
  /** Rows that the caller's role may be given back of a change. */
  readonly returnedAtMost?: number | undefined;
}

export interface ReadPlan extends Outcome {
  readonly kind: 'read';
  /** `count=estimated` counts exactly up to here and takes the planner's estimate above. */
  readonly exactCountRows: number;
}

export interface MutatePlan extends Outcome {
  readonly kind: 'mutate';
  readonly table: Table;
  readonly change: Insert | Upsert | Update | Delete;
  /** What the changed rows give to `rows`, which reads from them; empty when the response shows nothing. */
  readonly returning: Returning;
}

export interface Returning {
  readonly allColumns: boolean;
  readonly columns: readonly string[];
}

export interface Insert {
  readonly kind: 'insert';
  readonly columns: readonly Column[];
  readonly payload: RowsPayload;
  /** Columns missing from an object take their default instead of null. */
  readonly useDefaults: boolean;
  readonly onConflict: OnConflict | undefined;
  /** Columns that make up the `Location` of a single new row; empty when it is not wanted. */
  readonly locationColumns: readonly string[];
}

/** Inserts the one row that `where` names by its primary key, or replaces it. */
export interface Upsert {
  readonly kind: 'upsert';
  readonly columns: readonly Column[];
  readonly payload: RowsPayload;
  readonly useDefaults: false;
  readonly onConflict: OnConflict;
  /** What rows of the body have to match. */
  readonly where: readonly PlannedCondition[];
}

export interface OnConflict {
  readonly columns: readonly string[];
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates';
}

export interface Update {
  readonly kind: 'update';
  readonly columns: readonly Column[];
  readonly payload: RowsPayload;
  readonly useDefaults: boolean;
  readonly where: readonly PlannedCondition[];
  readonly slice: Slice | undefined;
}

export interface Delete {
  readonly kind: 'delete';
  readonly where: readonly PlannedCondition[];
  readonly slice: Slice | undefined;
}

/** Of the rows that match only some are changed. */
export interface Slice {
  /** They are told by these columns, which `rows` gives. */
  readonly keys: readonly string[];
  readonly rows: RowsPlan;
}

export interface CallPlan extends Outcome {
  readonly kind: 'call';
  readonly function: DatabaseFunction;
  readonly arguments: CallArguments;
  readonly readOnly: boolean;
}

export type CallArguments =
  /** By parameter name; a variadic parameter has an array literal. */
  | { readonly kind: 'texts'; readonly values: ReadonlyMap<string, string> }
  /** A JSON object with a member for each of `names`. */
  | { readonly kind: 'json'; readonly payload: RowsPayload; readonly names: readonly string[] }
  /** The whole body is the only, unnamed argument. */
  | { readonly kind: 'body'; readonly value: string | Buffer };

/** Rows of a table, or of what a change or a function gave, with what is embedded in them. */
export interface RowsPlan {
  /** undefined: the rows of the change or function this plan belongs to. */
  readonly from: QualifiedName | undefined;
  /** Unique in the statement. */
  readonly alias: string;
  readonly columns: readonly PlannedColumn[];
  readonly embeds: readonly EmbedPlan[];
  readonly where: readonly PlannedCondition[];
  readonly order: readonly PlannedOrder[];
  readonly range: RowRange;
  /** Something is aggregated: rows that are equal in all else become one. */
  readonly isGrouped: boolean;
}

export type PlannedColumn = PlannedStar | PlannedValue;

interface PlannedStar {
  readonly kind: 'star';
}

export interface PlannedValue extends Output {
  readonly kind: 'value';
  /** undefined: the row itself, to be counted. */
  readonly field: PlannedField | undefined;
  readonly cast: TypeName | undefined;
}

/** One member of a row's JSON object. */
export interface Output {
  readonly as: string;
  /** What becomes of the values of a group. */
  readonly aggregate: Aggregate | undefined;
}

export interface PlannedField {
  readonly column: string;
  /** What the row has to be cast to before the column can be asked of it. */
  readonly rowType?: QualifiedName | undefined;
  readonly jsonPath: readonly JsonStep[];
  /** The column is json or jsonb; others go through to_jsonb() before a JSON path. */
  readonly isJson: boolean;
  /** Searched as it is; other columns become documents first. */
  readonly isTsvector: boolean;
  /** undefined: PostgreSQL's own way. */
  readonly representation: Representation | undefined;
}

export interface EmbedPlan {
  readonly relationship: Relationship;
  /** Alias of the rows it is embedded in. */
  readonly parentAlias: string;
  /** Columns that those rows have as rows of their table, where they are what a change or function gave. */
  readonly parentColumns: readonly string[] | undefined;
  /** Alias of the junction table of a many-to-many relationship. */
  readonly junctionAlias: string;
  readonly rows: RowsPlan;
  /** Alias of what is joined to the rows it is embedded in, where a subquery among their columns will not do. */
  readonly joinAlias: string;
  readonly as: string;
  readonly inner: boolean;
  /** Its columns, not an object or array of them, become members of the row it is embedded in. */
  readonly spread: boolean;
  /** What it adds to that row; nothing for `table()`, which is there to be filtered by. */
  readonly outputs: readonly Output[];
  /** At most one related row: an object instead of an array. */
  readonly toOne: boolean;
}

export type PlannedCondition = PlannedFilter | PlannedLogic | PlannedExistence;

export interface PlannedFilter {
  readonly kind: 'filter';
  readonly field: PlannedField;
  readonly negated: boolean;
  readonly operation: Operation;
}

interface PlannedLogic {
  readonly kind: 'logic';
  readonly operator: 'and' | 'or';
  readonly negated: boolean;
  readonly conditions: readonly PlannedCondition[];
}

/** Whether a row has partners in an embedded table. */
interface PlannedExistence {
  readonly kind: 'embedded';
  readonly embed: EmbedPlan;
  readonly exists: boolean;
}

export interface PlannedOrder extends Pick<OrderTerm, 'direction' | 'nulls'> {
  readonly field: PlannedField;
  readonly cast: TypeName | undefined;
  /** The to-one table that the field is of. */
  readonly embed: EmbedPlan | undefined;
  /** The field is one of the columns that `embed` is spread into. */
  readonly isSpread: boolean;
}
