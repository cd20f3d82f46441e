import type { Sql } from '#libs/platform';
import { allFunctions, type Budget } from './budget.js';

export async function readBudgets(sql: Sql, projectRef: string): Promise<Budget[]> {
  const { rows } = await sql.query<Omit<Budget, 'function'> & { function_slug: string }>(
    `select function_slug, measure, period, most, warn_share as warn_at from budgets
     where project_ref = $1 order by 1, 2, 3`,
    [projectRef],
  );
  return rows.map(({ function_slug: slug, ...rest }) => ({
    function: slug === allFunctions ? null : slug,
    ...rest,
  }));
}

/** Puts `budgets` in the place of all that there are. What was told of those that changed is told anew. */
export async function replaceBudgets(
  sql: Sql,
  projectRef: string,
  budgets: readonly Budget[],
): Promise<void> {
  await sql.query('delete from budgets where project_ref = $1', [projectRef]);
  await sql.query(
    `insert into budgets (project_ref, function_slug, measure, period, most, warn_share)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::float8[], $6::float8[])`,
    [
      projectRef,
      budgets.map((budget) => budget.function ?? allFunctions),
      budgets.map((budget) => budget.measure),
      budgets.map((budget) => budget.period),
      budgets.map((budget) => budget.most),
      budgets.map((budget) => budget.warn_at),
    ],
  );
  await sql.query(
    `delete from budget_notices n where project_ref = $1 and not exists (
       select from budgets b where (b.project_ref, b.function_slug, b.measure, b.period, b.most)
         = (n.project_ref, n.function_slug, n.measure, n.period, n.most))`,
    [projectRef],
  );
}

/** What a function used on this day and in this month, as of one moment. */
export interface UsedByFunction {
  readonly slug: string;
  readonly invocations: { readonly day: number; readonly month: number };
  readonly gb_ms: { readonly day: number; readonly month: number };
  readonly whole_gb_ms: { readonly day: number; readonly month: number };
  /** That of its instances' starts, and between invocations, too: it is paid for like theirs. */
  readonly cpu_ms: { readonly day: number; readonly month: number };
  readonly egress_sent_bytes: { readonly day: number; readonly month: number };
}

/** @returns also which of `ids`, of invocations, are among those that were summed up */
export async function usedByFunctions(
  sql: Sql,
  projectRef: string,
  starts: { readonly day: Date; readonly month: Date },
  ids: readonly string[],
): Promise<{ used: UsedByFunction[]; seen: string[] }> {
  const sums = ['invocations', 'gb_ms', 'whole_gb_ms', 'cpu_ms', 'egress_sent_bytes'].map(
    (name) =>
      `json_build_object('month', sum(${name}), 'day', coalesce(sum(${name}) filter (where hour >= $3), 0)) as ${name}`,
  );
  const where = 'project_ref = $1 and hour >= $2';
  const { rows } = await sql.query<UsedByFunction & { seen: string[] | null }>(
    `select function_slug as slug, ${sums.join(', ')},
            (select array_agg(id::text) from invocations where id = any($4::uuid[])) as seen
     from (
       select function_slug, hour, invocations, gb_ms, whole_gb_ms, cpu_ms, 0 as egress_sent_bytes
       from invocation_hours where ${where}
       union all
       select function_slug, hour, 0, 0, 0, boot_cpu_ms + idle_cpu_ms, egress_sent_bytes
       from background_usage where ${where}) used
     group by function_slug`,
    [projectRef, starts.month, starts.day, ids],
  );
  return { used: rows, seen: rows[0]?.seen ?? [] };
}

export interface Notice {
  readonly budget: Budget;
  readonly kind: 'warned' | 'exceeded';
  readonly startsAt: Date;
  readonly used: number;
}

/** @returns false when it was told already, whoever did so */
export async function insertNotice(sql: Sql, projectRef: string, notice: Notice): Promise<boolean> {
  const { budget, kind, startsAt, used } = notice;
  const { rowCount } = await sql.query(
    `insert into budget_notices (project_ref, function_slug, measure, period, starts_at, kind, most, used)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`,
    [
      projectRef,
      budget.function ?? allFunctions,
      budget.measure,
      budget.period,
      startsAt,
      kind,
      budget.most,
      used,
    ],
  );
  return rowCount === 1;
}

/** When something was told of the budgets' periods that began at `day` and `month`. */
export async function readNotices(
  sql: Sql,
  projectRef: string,
  starts: { readonly day: Date; readonly month: Date },
): Promise<{ key: string; kind: 'warned' | 'exceeded'; at: Date }[]> {
  const { rows } = await sql.query<{ key: string; kind: 'warned' | 'exceeded'; at: Date }>(
    `select concat_ws(' ', function_slug, measure, period) as key, kind, at from budget_notices
     where project_ref = $1 and starts_at = case period when 'day' then $2::timestamptz else $3::timestamptz end`,
    [projectRef, starts.day, starts.month],
  );
  return rows;
}
