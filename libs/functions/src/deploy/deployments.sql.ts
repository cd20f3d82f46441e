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

/** A deployment that answers for its function. */
export interface AnsweringDeployment extends DeploymentSummary {
  readonly percent: number;
}

/** As it stands in `functions.traffic`. */
export interface TrafficPart {
  readonly deployment_id: string;
  readonly number: number;
  readonly percent: number;
}

export interface Source {
  readonly entrypoint: string;
  readonly importMap: string | null;
  /** By path, base64. */
  readonly files: Readonly<Record<string, string>>;
  /** Of `files`, those that the function reads when it runs; absent: none. */
  readonly staticFiles?: readonly string[];
}

/** What an instance is given. */
export interface DeploymentFiles {
  readonly entrypoint: string;
  readonly code: Uint8Array;
  /** By path among the sources, base64. */
  readonly staticFiles: Readonly<Record<string, string>>;
}

/** What a deployment was made from, and what runs. */
export interface DeploymentContent {
  readonly source: Source;
  readonly code: Uint8Array;
  /** Null: there is none, and stacks name the bundle. */
  readonly sourceMap: Uint8Array | null;
}

export interface NewDeployment extends DeploymentContent {
  readonly id: string;
  readonly slug: string;
  /** As `parseManifest` gives it. */
  readonly manifest: unknown;
  readonly name: string | null;
  readonly sha256: string;
}

const summaryColumns = `d.id, d.function_slug as slug, d.number, d.manifest, d.source ->> 'entrypoint' as entrypoint,
  d.source ->> 'importMap' as "importMap", d.sha256, d.name, d.created_at as "createdAt"`;

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

/** The deployments that answer for function `f`, as rows of `part`: the active one, unless traffic is split. */
export const trafficParts = `cross join lateral (
    select f.active_deployment_id as deployment_id, 100 as percent, 1::bigint as position where f.traffic = '[]'
    union all
    select (each ->> 'deployment_id')::uuid, (each ->> 'percent')::integer, position
    from jsonb_array_elements(f.traffic) with ordinality as parts (each, position)) part`;

/** Those that answer for a function, in the order in which they were named; none when it is not in service. */
export async function answeringDeployments(
  sql: Sql,
  projectRef: string,
  slug: string,
): Promise<AnsweringDeployment[]> {
  const { rows } = await sql.query<AnsweringDeployment>(
    `select ${summaryColumns}, part.percent from functions f ${trafficParts}
     join deployments d on d.id = part.deployment_id
     where f.project_ref = $1 and f.slug = $2 order by part.position`,
    [projectRef, slug],
  );
  return rows;
}

/** Instances that all functions of all projects but this one keep ready together. */
export async function provisionedElsewhere(sql: Sql, projectRef: string, slug: string): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `select coalesce(sum((d.manifest ->> 'min_instances')::integer), 0)::integer as count
     from functions f ${trafficParts} join deployments d on d.id = part.deployment_id
     where f.provisioned and (f.project_ref, f.slug) <> ($1, $2)`,
    [projectRef, slug],
  );
  return rows[0]!.count;
}

/** Functions that want instances to be kept ready. */
export async function provisionedFunctions(sql: Sql): Promise<{ projectRef: string; slug: string }[]> {
  const { rows } = await sql.query<{ projectRef: string; slug: string }>(
    'select project_ref as "projectRef", slug from functions where provisioned',
  );
  return rows;
}

/** What a deployment was made from, and what runs; undefined when it was deleted. */
export async function readDeployment(sql: Sql, id: string): Promise<DeploymentContent | undefined> {
  const { rows } = await sql.query<DeploymentContent>(
    'select source, code, source_map as "sourceMap" from deployments where id = $1',
    [id],
  );
  return rows[0];
}

/** What an instance of a deployment is given; undefined when it was deleted. */
export async function readDeploymentFiles(sql: Sql, id: string): Promise<DeploymentFiles | undefined> {
  const { rows } = await sql.query<DeploymentFiles>(
    `select d.source ->> 'entrypoint' as entrypoint, d.code, coalesce((
       select jsonb_object_agg(path, d.source -> 'files' -> path)
       from jsonb_array_elements_text(d.source -> 'staticFiles') path), '{}') as "staticFiles"
     from deployments d where d.id = $1`,
    [id],
  );
  return rows[0];
}

/** Records a deployment under the next number. Only under `lockActivations`. */
export async function insertDeployment(
  tx: Sql,
  projectRef: string,
  deployment: NewDeployment,
): Promise<number> {
  const { rows } = await tx.query<{ number: number }>(
    `insert into deployments
       (id, project_ref, function_slug, number, manifest, source, code, source_map, sha256, name)
     select $1::uuid, $2::text, $3::text, coalesce(max(number), 0) + 1, $4::jsonb, $5::jsonb, $6::bytea, $7::bytea,
       $8::text, $9::text
     from deployments where project_ref = $2 and function_slug = $3
     returning number`,
    [
      deployment.id,
      projectRef,
      deployment.slug,
      JSON.stringify(deployment.manifest),
      JSON.stringify(deployment.source),
      Buffer.from(deployment.code),
      deployment.sourceMap && Buffer.from(deployment.sourceMap),
      deployment.sha256,
      deployment.name,
    ],
  );
  return rows[0]!.number;
}

/** @param answering.traffic empty: the active deployment alone answers */
export async function setAnswering(
  tx: Sql,
  projectRef: string,
  slug: string,
  answering: { activeId: string; traffic: readonly TrafficPart[]; provisioned: boolean },
): Promise<void> {
  await tx.query(
    `insert into functions (project_ref, slug, active_deployment_id, traffic, provisioned)
     values ($1, $2, $3, $4, $5)
     on conflict (project_ref, slug) do update
       set active_deployment_id = excluded.active_deployment_id, traffic = excluded.traffic,
           provisioned = excluded.provisioned, updated_at = now()`,
    [projectRef, slug, answering.activeId, JSON.stringify(answering.traffic), answering.provisioned],
  );
}

/** Subscriptions that stay keep their row, so that an event in between finds them, and a pause lasts. */
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
    `insert into subscriptions (id, project_ref, function_slug, event, filter, settings)
     select id, $1::text, $2::text, event, filter, settings
     from unnest($3::uuid[], $4::text[], $5::jsonb[], $6::jsonb[]) as s (id, event, filter, settings)
     on conflict (id) do update set settings = excluded.settings`,
    [
      projectRef,
      slug,
      ids,
      subscriptions.map((subscription) => subscription.event),
      subscriptions.map((subscription) => JSON.stringify(subscription.filter)),
      subscriptions.map((subscription) => JSON.stringify(subscription.settings)),
    ],
  );
}

/** Takes a function out of service, with its subscriptions; its deployments stay. */
export async function deleteActivation(tx: Sql, projectRef: string, slug: string): Promise<boolean> {
  const values = [projectRef, slug];
  const { rowCount } = await tx.query('delete from functions where project_ref = $1 and slug = $2', values);
  await tx.query('delete from subscriptions where project_ref = $1 and function_slug = $2', values);
  return rowCount > 0;
}

/** The function's invocations stay. Its logs can be read no more, and housekeeping removes them. */
export async function deleteDeployments(tx: Sql, projectRef: string, slug: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    'delete from deployments where project_ref = $1 and function_slug = $2',
    [projectRef, slug],
  );
  return rowCount > 0;
}
