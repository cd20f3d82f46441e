/** What the planner knows of a database: one immutable snapshot, replaced whole. */
export interface SchemaCache {
  /** The exposed schemas, of which the snapshot is. */
  readonly schemas: readonly string[];
  /** By {@link nameKey}. */
  readonly tables: ReadonlyMap<string, Table>;
  /** Ways from a table to others, by {@link nameKey} of the table they start from; for one that has none of any kind, nothing. */
  readonly relationships: ReadonlyMap<string, readonly Relationship[]>;
  /** Overloads of each function, by {@link nameKey}. */
  readonly functions: ReadonlyMap<string, readonly DatabaseFunction[]>;
  readonly mediaHandlers: MediaHandlers;
  /** That of before the snapshot was taken. */
  readonly version: SchemaVersion;
}

export interface SchemaVersion {
  /** How many changes of the schema there were so far, those under way included. */
  readonly changes: string;
  /** Some were counted and could not be seen yet: what was read meanwhile may be old. */
  readonly isChanging: boolean;
}

export interface QualifiedName {
  readonly schema: string;
  readonly name: string;
}

export interface Table extends QualifiedName {
  readonly isView: boolean;
  readonly columns: ReadonlyMap<string, Column>;
  /** Empty when the table has none. */
  readonly primaryKey: readonly string[];
}

export interface Column {
  readonly name: string;
  /** SQL text of the type, schema-qualified, with its modifiers. */
  readonly type: string;
  /** Name of the type, or of the type a domain is over in the end: `jsonb`, `tsvector`. */
  readonly baseType: string;
  /** SQL text of the default. */
  readonly defaultValue: string | null;
  /** undefined: PostgreSQL's own way. */
  readonly representation?: Representation | undefined;
}

/** Functions that stand between a value and what clients see of it. */
export interface Representation {
  readonly toJson?: QualifiedName;
  /** Of a member of the body. */
  readonly fromJson?: QualifiedName;
  /** Of a value in a filter. */
  readonly fromText?: QualifiedName;
}

/** A way from the rows of one table or view to those of another. */
export type Relationship = KeyRelationship | ComputedRelationship;

/** Follows foreign keys. */
export interface KeyRelationship {
  readonly kind: 'key';
  readonly cardinality: 'many-to-one' | 'one-to-one' | 'one-to-many' | 'many-to-many';
  readonly from: QualifiedName;
  readonly to: QualifiedName;
  readonly toIsView: boolean;
  /** Foreign key; of a many-to-many relationship the junction's one towards `from`. */
  readonly constraint: string;
  /** Pairs of a column of `from` and the one of `to` (or of the junction) it equals. */
  readonly columns: readonly ColumnPair[];
  readonly junction: Junction | undefined;
}

/** Follows what a function of one row of `from` returns. */
export interface ComputedRelationship {
  readonly kind: 'computed';
  readonly from: QualifiedName;
  readonly to: QualifiedName;
  readonly function: QualifiedName;
  /** It returns one row at most. */
  readonly toOne: boolean;
}

export type ColumnPair = readonly [string, string];

interface Junction {
  readonly table: QualifiedName;
  /** The junction's foreign key towards `to`. */
  readonly constraint: string;
  /** Pairs of a column of the junction and the one of `to` it equals. */
  readonly columns: readonly ColumnPair[];
}

export interface DatabaseFunction extends QualifiedName {
  /** Input parameters in order. */
  readonly parameters: readonly FunctionParameter[];
  readonly returns: FunctionResult;
  readonly isVolatile: boolean;
  /** What `create function … set` says, by name. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface FunctionParameter {
  /** Empty for an unnamed one. */
  readonly name: string;
  /** SQL text of the type, schema-qualified. */
  readonly type: string;
  readonly required: boolean;
  readonly variadic: boolean;
}

export interface FunctionResult {
  readonly kind: 'void' | 'scalar' | 'composite';
  readonly isSet: boolean;
  /** The table whose row type is returned, so that related tables can be embedded. */
  readonly table: QualifiedName | undefined;
}

/** What writes other media types than those built in, or those otherwise (postgrest.org, "Media Type Handlers"). */
export interface MediaHandlers {
  /** Of rows of one table or view, by {@link nameKey} of it and media type. */
  readonly ofTables: ReadonlyMap<string, ReadonlyMap<string, MediaHandler>>;
  /** Of rows of any, by media type. */
  readonly ofAnything: ReadonlyMap<string, MediaHandler>;
  /** Of the results of functions that are written already, by {@link nameKey} of the function and media type. */
  readonly ofFunctions: ReadonlyMap<string, ReadonlyMap<string, MediaHandler>>;
}

export interface MediaHandler {
  /** Aggregates rows; undefined where there is nothing left to do. */
  readonly aggregate: QualifiedName | undefined;
  /** Rows that the aggregate takes; undefined: any. */
  readonly rowType: QualifiedName | undefined;
  /** Value of `Content-Type`. */
  readonly contentType: string;
  /** Gives `bytea`. */
  readonly isBinary: boolean;
}

/** Map key of a qualified name; a NUL cannot be part of one. */
export function nameKey(schema: string, name: string): string {
  return `${schema}\0${name}`;
}
