import type { Sql } from '#libs/platform';
import type { Subscription } from '../manifest/subscriptions.js';

/** A deployment without its source and code. */
export interface DeploymentSummary {
  readonly id: string;
  readonly slug: string;
  readonly number: number;
  /** As `parseManifest` takes it. */
  readonly manifest: unknown;
  readonly entrypoint: string;
  readonly importMap: string | null;
  readonly sha256: string;
  /** The name that people see; null: the slug. */
  readonly name: string | null;
  readonly createdAt: Date;
}

/** A function with its active deployment. */
export interface FunctionSummary {
  readonly slug: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly active: DeploymentSummary;
}

export interface Source {
  readonly entrypoint: string;
  readonly importMap: string | null;
  /** By path, base64. */
  readonly files: Readonly<Record<string, string>>;
}

export interface NewDeployment {
  readonly id: string;
  readonly slug: string;
  /** As `parseManifest` gives it. */
  readonly manifest: unknown;
  readonly name: string | null;
  readonly source: Source;
  readonly code: Uint8Array;
  readonly sha256: string;
}

const summaryColumns = `d.id, d.function_slug as slug, d.number, d.manifest, d.source ->> 'entrypoint' as entrypoint,
  d.source ->> 'importMap' as "importMap", d.sha256, d.name, d.created_at as "createdAt"`;

/** Until the transaction ends, no other server changes which deployments of the project are active. */
export async function lockActivations(tx: Sql, projectRef: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [
    `galley activations ${projectRef}`,
  ]);
}

export async function listFunctions(sql: Sql, projectRef: string, slug?: string): Promise<FunctionSummary[]> {
  const { rows } = await sql.query<DeploymentSummary & { functionCreatedAt: Date; updatedAt: Date }>(
    `select ${summaryColumns}, f.created_at as "functionCreatedAt", f.updated_at as "updatedAt"
     from functions f join deployments d on d.id = f.active_deployment_id
     where f.project_ref = $1 and ($2::text is null or f.slug = $2) order by f.slug`,
    [projectRef, slug ?? null],
  );
  return rows.map(({ functionCreatedAt, updatedAt, ...active }) => ({
    slug: active.slug,
    createdAt: functionCreatedAt,
    updatedAt,
    active,
  }));
}

/** The newest first. */
export async function listDeployments(
  sql: Sql,
  projectRef: string,
  slug: string,
  limit: number,
): Promise<DeploymentSummary[]> {
  const { rows } = await sql.query<DeploymentSummary>(
    `select ${summaryColumns} from deployments d
     where d.project_ref = $1 and d.function_slug = $2 order by d.number desc limit $3`,
    [projectRef, slug, limit],
  );
  return rows;
}

export async function findDeployment(
  sql: Sql,
  projectRef: string,
  slug: string,
  number: number,
): Promise<DeploymentSummary | undefined> {
  const { rows } = await sql.query<DeploymentSummary>(
    `select ${summaryColumns} from deployments d
     where d.project_ref = $1 and d.function_slug = $2 and d.number = $3::numeric`,
    [projectRef, slug, number],
  );
  return rows[0];
}

/** What a deployment was made from, and what runs; undefined when it was deleted. */
export async function readDeployment(
  sql: Sql,
  id: string,
): Promise<{ source: Source; code: Uint8Array } | undefined> {
  const { rows } = await sql.query<{ source: Source; code: Buffer }>(
    'select source, code from deployments where id = $1',
    [id],
  );
  return rows[0];
}

/** Records a deployment under the next number. Only under {@link lockActivations}. */
export async function insertDeployment(
  tx: Sql,
  projectRef: string,
  deployment: NewDeployment,
): Promise<number> {
  const { rows } = await tx.query<{ number: number }>(
    `insert into deployments (id, project_ref, function_slug, number, manifest, source, code, sha256, name)
     select $1::uuid, $2::text, $3::text, coalesce(max(number), 0) + 1, $4::jsonb, $5::jsonb, $6::bytea, $7::text,
       $8::text
     from deployments where project_ref = $2 and function_slug = $3
     returning number`,
    [
      deployment.id,
      projectRef,
      deployment.slug,
      JSON.stringify(deployment.manifest),
      JSON.stringify(deployment.source),
      Buffer.from(deployment.code),
      deployment.sha256,
      deployment.name,
    ],
  );
  return rows[0]!.number;
}

export async function setActiveDeployment(
  tx: Sql,
  projectRef: string,
  slug: string,
  deploymentId: string,
): Promise<void> {
  await tx.query(
    `insert into functions (project_ref, slug, active_deployment_id) values ($1, $2, $3)
     on conflict (project_ref, slug) do update
       set active_deployment_id = excluded.active_deployment_id, updated_at = now()`,
    [projectRef, slug, deploymentId],
  );
}

/** Subscriptions that stay keep their row, so that an event in between finds them. */
export async function replaceSubscriptions(
  tx: Sql,
  projectRef: string,
  slug: string,
  subscriptions: readonly Subscription[],
): Promise<void> {
  const ids = subscriptions.map((subscription) => subscription.id);
  await tx.query(
    'delete from subscriptions where project_ref = $1 and function_slug = $2 and id <> all($3::uuid[])',
    [projectRef, slug, ids],
  );
  await tx.query(
    `insert into subscriptions (id, project_ref, function_slug, event, filter)
     select id, $1::text, $2::text, event, filter from unnest($3::uuid[], $4::text[], $5::jsonb[]) as s (id, event, filter)
     on conflict (id) do nothing`,
    [
      projectRef,
      slug,
      ids,
      subscriptions.map((subscription) => subscription.event),
      subscriptions.map((subscription) => JSON.stringify(subscription.filter)),
    ],
  );
}

/** `schema.table` of all row subscriptions of the project. */
export async function watchedTables(tx: Sql, projectRef: string): Promise<string[]> {
  const { rows } = await tx.query<{ table: string }>(
    `select distinct filter ->> 'table' as table from subscriptions
     where project_ref = $1 and filter ->> 'table' is not null`,
    [projectRef],
  );
  return rows.map((row) => row.table);
}

/** Takes a function out of service, with its subscriptions; its deployments stay. */
export async function deleteActivation(tx: Sql, projectRef: string, slug: string): Promise<boolean> {
  const values = [projectRef, slug];
  const { rowCount } = await tx.query('delete from functions where project_ref = $1 and slug = $2', values);
  await tx.query('delete from subscriptions where project_ref = $1 and function_slug = $2', values);
  return rowCount > 0;
}

/** The function's invocations and logs stay. */
export async function deleteDeployments(tx: Sql, projectRef: string, slug: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    'delete from deployments where project_ref = $1 and function_slug = $2',
    [projectRef, slug],
  );
  return rowCount > 0;
}
