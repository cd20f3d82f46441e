import type { Sql } from '#libs/platform';

/** One attempt to deploy a function. */
export interface BuildSummary {
  readonly id: string;
  readonly slug: string;
  readonly status: 'running' | 'succeeded' | 'failed';
  /** Why it failed. */
  readonly error: string | null;
  /** The deployment that it made, or found to be the same already. */
  readonly deploymentNumber: number | null;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
}

/** What a build told. */
export interface BuildLine {
  /** From 1, in the order in which they were told. */
  readonly number: number;
  readonly message: string;
  readonly at: Date;
}

const columns = `id, function_slug as slug, status, error, deployment_number as "deploymentNumber",
  started_at as "startedAt", ended_at as "endedAt"`;

export async function insertBuild(sql: Sql, id: string, projectRef: string, slug: string): Promise<void> {
  await sql.query('insert into builds (id, project_ref, function_slug) values ($1, $2, $3)', [
    id,
    projectRef,
    slug,
  ]);
}

/** Those of a build that is gone already are dropped. */
export async function insertBuildLines(
  sql: Sql,
  buildId: string,
  lines: readonly BuildLine[],
): Promise<void> {
  await sql.query(
    `insert into build_log_lines (build_id, number, message, at)
     select b.id, l.number, l.message, l.at from builds b,
       unnest($2::integer[], $3::text[], $4::timestamptz[]) as l (number, message, at) where b.id = $1`,
    [
      buildId,
      lines.map((line) => line.number),
      lines.map((line) => line.message),
      lines.map((line) => line.at),
    ],
  );
}

export async function keepBuildAlive(sql: Sql, id: string): Promise<void> {
  await sql.query(`update builds set alive_at = now() where id = $1 and status = 'running'`, [id]);
}

/** @returns false when the build was given up for dead, or is over */
export async function endBuild(
  sql: Sql,
  id: string,
  end: { status: 'succeeded' | 'failed'; error?: string; deploymentNumber?: number },
): Promise<boolean> {
  const { rowCount } = await sql.query(
    `update builds set status = $2, error = $3, deployment_number = $4, ended_at = now()
     where id = $1 and status = 'running'`,
    [id, end.status, end.error ?? null, end.deploymentNumber ?? null],
  );
  return rowCount > 0;
}

/** Ends, as failed, the builds whose process has not been heard of for `silenceMs`. */
export async function failSilentBuilds(sql: Sql, silenceMs: number, error: string): Promise<void> {
  await sql.query(
    `update builds set status = 'failed', error = $2, ended_at = now()
     where status = 'running' and alive_at < now() - $1 * interval '1 millisecond'`,
    [silenceMs, error],
  );
}

/** The newest first. */
export async function listBuilds(
  sql: Sql,
  projectRef: string,
  slug: string,
  limit: number,
): Promise<BuildSummary[]> {
  const { rows } = await sql.query<BuildSummary>(
    `select ${columns} from builds where project_ref = $1 and function_slug = $2
     order by started_at desc, id desc limit $3`,
    [projectRef, slug, limit],
  );
  return rows;
}

export async function findBuild(
  sql: Sql,
  projectRef: string,
  slug: string,
  id: string,
): Promise<BuildSummary | undefined> {
  const { rows } = await sql.query<BuildSummary>(
    `select ${columns} from builds where project_ref = $1 and function_slug = $2 and id = $3`,
    [projectRef, slug, id],
  );
  return rows[0];
}

/** The lines after number `after`, in order. */
export async function listBuildLines(sql: Sql, buildId: string, after: number): Promise<BuildLine[]> {
  const { rows } = await sql.query<BuildLine>(
    'select number, message, at from build_log_lines where build_id = $1 and number > $2 order by number',
    [buildId, after],
  );
  return rows;
}

/** Leaves the newest `kept` of the function's builds, and those that run. */
export async function deleteOldBuilds(
  sql: Sql,
  projectRef: string,
  slug: string,
  kept: number,
): Promise<void> {
  await sql.query(
    `delete from builds where status <> 'running' and id in (
       select id from builds where project_ref = $1 and function_slug = $2
       order by started_at desc, id desc offset $3)`,
    [projectRef, slug, kept],
  );
}
