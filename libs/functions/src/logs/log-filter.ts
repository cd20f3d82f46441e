import type { LogLevel } from './log-lines.sql.js';

const idEndChars = 12;

/** Which lines are asked for; what is not named does not matter. */
export interface LogFilter {
  readonly projectRef: string;
  readonly functionSlug?: string | undefined;
  /** Whole, or its last 12 digits. */
  readonly invocationId?: string | undefined;
  /** Number of the deployment. */
  readonly deployment?: number | undefined;
  readonly levels?: readonly LogLevel[] | undefined;
  /** Stands in the message, in whichever case. */
  readonly text?: string | undefined;
}

/** Conditions on the row `l` of function_logs and its deployment `d`. */
export function conditionsOf(filter: LogFilter): { conditions: string[]; values: unknown[] } {
  const values: unknown[] = [filter.projectRef];
  const conditions = ['l.project_ref = $1'];
  const add = (given: unknown, condition: (parameter: string) => string) => {
    if (given !== undefined) conditions.push(condition(`$${values.push(given)}`));
  };
  add(filter.functionSlug, (slug) => `l.function_slug = ${slug}`);
  add(filter.invocationId, (id) =>
    filter.invocationId!.length === idEndChars
      ? `right(l.invocation_id::text, ${idEndChars}) = ${id}`
      : `l.invocation_id = ${id}::uuid`,
  );
  add(filter.deployment, (number) => `d.number = ${number}::int`);
  add(filter.levels, (levels) => `l.level = any(${levels}::text[])`);
  add(filter.text && `%${filter.text.replace(/[\\%_]/g, '\\$&')}%`, (text) => `l.message ilike ${text}`);
  return { conditions, values };
}
