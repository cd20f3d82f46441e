import type { Sql } from '#libs/platform';
import { conditionsOf, type LogFilter } from './log-filter.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface NewLogLine {
  readonly id: string;
  readonly projectRef: string;
  readonly functionSlug: string;
  readonly deploymentId: string;
  readonly invocationId: string | null;
  readonly source: 'function' | 'platform';
  readonly level: LogLevel;
  readonly message: string;
  readonly at: Date;
}

/** A line as it was written. */
export interface WrittenLogLine extends NewLogLine {
  /** An integer that grows from each line to all that are committed after it. */
  readonly position: string;
  readonly deployment: number;
}

/** Told which functions wrote, `ref/slug` each in a line; an empty text says that any may have. */
export const logsChannel = 'galley_function_logs';
/** PostgreSQL bounds what a notification tells to 8000 bytes. */
const notifiedBytes = 7_900;

/**
 * Writes lines and tells of them. Writers take turns from before the first position is drawn until after the commit,
 * so that whoever read up to a position has seen all before it. It is one statement, so no writer can break off
 * during its turn.
 */
export async function insertLines(sql: Sql, lines: readonly NewLogLine[]): Promise<void> {
  await sql.query(
    `with turn as materialized (select pg_advisory_xact_lock(hashtextextended('galley function logs', 0))),
     written as (
       insert into function_logs (id, project_ref, function_slug, deployment_id, invocation_id, source, level, message, at)
       select l.id, l.project_ref, l.slug, l.deployment_id, l.invocation_id, l.source, l.level, l.message, l.at
       from turn cross join unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[],
                                   $8::text[], $9::timestamptz[]) with ordinality
            as l (id, project_ref, slug, deployment_id, invocation_id, source, level, message, at, n)
       order by l.n
       on conflict (id) do nothing)
     select pg_notify($10, $11)`,
    [
      lines.map((line) => line.id),
      lines.map((line) => line.projectRef),
      lines.map((line) => line.functionSlug),
      lines.map((line) => line.deploymentId),
      lines.map((line) => line.invocationId),
      lines.map((line) => line.source),
      lines.map((line) => line.level),
      lines.map((line) => line.message),
      lines.map((line) => line.at),
      logsChannel,
      writersOf(lines),
    ],
  );
}

function writersOf(lines: readonly NewLogLine[]): string {
  const writers = new Set(lines.map(({ projectRef, functionSlug }) => `${projectRef}/${functionSlug}`));
  const text = [...writers].join('\n');
  return Buffer.byteLength(text) <= notifiedBytes ? text : '';
}

const columns = `l.id, l.position::text, l.project_ref as "projectRef", l.function_slug as "functionSlug",
  l.deployment_id as "deploymentId", d.number as deployment, l.invocation_id as "invocationId", l.source, l.level,
  l.message, l.at`;
/** A deleted function has no deployments, and its lines are as good as gone. */
const source = 'function_logs l join deployments d on d.id = l.deployment_id';

/** Where a listing goes on: after this line. */
export interface LogCursor {
  readonly at: Date;
  readonly position: string;
}

export interface LogPage {
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly order: 'asc' | 'desc';
  readonly cursor?: LogCursor | undefined;
  readonly limit: number;
}

/** Lines by time; `since` belongs to them, `until` does not. */
export async function listLines(sql: Sql, filter: LogFilter, page: LogPage): Promise<WrittenLogLine[]> {
  const { conditions, values } = conditionsOf(filter);
  const value = (given: unknown) => `$${values.push(given)}`;
  if (page.since) conditions.push(`l.at >= ${value(page.since)}::timestamptz`);
  if (page.until) conditions.push(`l.at < ${value(page.until)}::timestamptz`);
  if (page.cursor) {
    const { at, position } = page.cursor;
    const comparison = page.order === 'asc' ? '>' : '<';
    conditions.push(
      `(l.at, l.position) ${comparison} (${value(at)}::timestamptz, ${value(position)}::bigint)`,
    );
  }
  const { rows } = await sql.query<WrittenLogLine>(
    `select ${columns} from ${source} where ${conditions.join(' and ')}
     order by l.at ${page.order}, l.position ${page.order} limit ${value(page.limit)}`,
    values,
  );
  return rows;
}

/** The position of the last line of all; '0' when there is none. */
export async function lastPosition(sql: Sql): Promise<string> {
  const { rows } = await sql.query<{ position: string }>(
    'select coalesce(max(position), 0)::text as position from function_logs',
  );
  return rows[0]!.position;
}

/** A stretch of positions: after the first, up to and with the second. */
export interface Stretch {
  readonly after: string;
  readonly upTo: string;
}

/** At most `limit` lines of a stretch in the order of their positions, the first or the last ones. */
export async function linesOfStretch(
  sql: Sql,
  filter: LogFilter,
  stretch: Stretch,
  { end, limit }: { end: 'first' | 'last'; limit: number },
): Promise<WrittenLogLine[]> {
  const { where, values } = inStretch(filter, stretch);
  const { rows } = await sql.query<WrittenLogLine>(
    `select ${columns} from ${source} where ${where}
     order by l.position ${end === 'first' ? 'asc' : 'desc'} limit $${values.push(limit)}`,
    values,
  );
  return end === 'first' ? rows : rows.toReversed();
}

export async function countLines(sql: Sql, filter: LogFilter, stretch: Stretch): Promise<number> {
  const { where, values } = inStretch(filter, stretch);
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::int as count from ${source} where ${where}`,
    values,
  );
  return rows[0]!.count;
}

function inStretch(filter: LogFilter, { after, upTo }: Stretch) {
  const { conditions, values } = conditionsOf(filter);
  conditions.push(`l.position > $${values.push(after)}::bigint`);
  conditions.push(`l.position <= $${values.push(upTo)}::bigint`);
  return { where: conditions.join(' and '), values };
}

/** Whether the function was ever deployed, and not deleted since. */
export async function isDeployed(sql: Sql, projectRef: string, slug: string): Promise<boolean> {
  const { rows } = await sql.query(
    'select 1 from deployments where project_ref = $1 and function_slug = $2 limit 1',
    [projectRef, slug],
  );
  return rows.length > 0;
}
