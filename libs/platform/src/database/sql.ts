/** One open connection or transaction: the least that a function needs to run a statement. */
export interface Sql {
  /**
   * Runs one statement with `$1`-style parameters.
   * @throws pg's DatabaseError with `code` (SQLSTATE) when PostgreSQL refuses it.
   */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }>;
}

/** Quotes an identifier (PostgreSQL manual §4.1.1): the only way a name may enter a statement. */
export function quoteIdent(name: string): string {
  if (name.includes('\0')) throw new TypeError('An identifier cannot contain a NUL character.');
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes `schema.name`. */
export function quoteQualified(schema: string, name: string): string {
  return `${quoteIdent(schema)}.${quoteIdent(name)}`;
}

/** Quotes a string literal, for the few utility statements (CREATE POLICY, ALTER ROLE) that take no parameters. */
export function quoteLiteral(value: string): string {
  if (value.includes('\0')) throw new TypeError('A literal cannot contain a NUL character.');
  const escaped = value.replaceAll("'", "''");
  return value.includes('\\') ? ` E'${escaped.replaceAll('\\', '\\\\')}'` : `'${escaped}'`;
}
