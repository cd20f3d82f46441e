export interface ColumnOrigin {
  /** Number of the view's column. */
  readonly number: number;
  /** OID of the table or view it comes from. */
  readonly table: number;
  /** Number of the column there. */
  readonly column: number;
}

const entryPattern =
  / :resno (\d+) :resname (?:\\.|[^ ])+ :ressortgroupref \d+ :resorigtbl (\d+) :resorigcol (\d+) :resjunk false\}$/;

/**
 * Reads from the stored parse tree of a view (`pg_rewrite.ev_action`) where each of its columns comes from.
 * PostgreSQL records the origin of a plain column reference in its target entry; computed columns have
 * origin 0 and are left out.
 */
export function viewColumnOrigins(rule: string): ColumnOrigin[] {
  const origins: ColumnOrigin[] = [];
  for (const entry of targetEntries(rule)) {
    const found = entryPattern.exec(entry);
    if (!found) continue;
    const [number, table, column] = found.slice(1).map(Number) as [number, number, number];
    if (table !== 0) origins.push({ number, table, column });
  }
  return origins;
}

const listLabel = ' :targetList ';

/**
 * The target entries of the outermost query, `({QUERY … :targetList ({TARGETENTRY …} …) …})`. Those of
 * subqueries and CTEs lie deeper. In names brackets are escaped by a backslash.
 */
function targetEntries(rule: string): string[] {
  const entries: string[] = [];
  let depth = 0;
  let listDepth = Infinity;
  let entryStart = 0;
  for (let i = 0; i < rule.length; i += 1) {
    const char = rule[i];
    if (char === '\\') i += 1;
    else if (char === '{' || char === '(') {
      if (depth === 2 && char === '(' && rule.endsWith(listLabel, i)) listDepth = 3;
      if (depth === listDepth) entryStart = i;
      depth += 1;
    } else if (char === '}' || char === ')') {
      depth -= 1;
      if (depth === listDepth) entries.push(rule.slice(entryStart, i + 1));
      if (depth < listDepth && listDepth === 3) return entries;
    }
  }
  return entries;
}
