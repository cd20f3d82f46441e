/** What a schema's tables and functions are, beside what requests are planned by: comments, defaults, kinds of values. */
export interface SchemaDescription {
  readonly comment: string | null;
  readonly tables: readonly DescribedTable[];
}

export interface DescribedTable {
  readonly name: string;
  readonly comment: string | null;
  /** Some row of it can be inserted, updated or deleted. */
  readonly isWritable: boolean;
  readonly primaryKey: readonly string[];
  readonly columns: readonly DescribedColumn[];
}

export interface DescribedColumn {
  readonly name: string;
  readonly comment: string | null;
  readonly isNullable: boolean;
  /** Of a domain over one of PostgreSQL's own types, that type. */
  readonly type: string;
  readonly maxLength: number | null;
  readonly defaultValue: string | null;
  readonly enumValues: readonly string[];
  /** Column that its values refer to. */
  readonly refersTo: { readonly table: string; readonly column: string } | undefined;
}

export interface DescribedFunction {
  readonly name: string;
  readonly comment: string | null;
  readonly isVolatile: boolean;
  readonly parameters: readonly DescribedParameter[];
}

export interface DescribedParameter {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly variadic: boolean;
}
