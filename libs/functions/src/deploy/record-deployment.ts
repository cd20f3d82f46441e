import { newId, type Sql } from '#libs/platform';
import { createHash } from 'node:crypto';
import type { Manifest } from '../manifest/manifest.js';
import type { Build } from './builds.js';
import {
  findDeployment,
  insertDeployment,
  listFunctions,
  type DeploymentSummary,
  type NewDeployment,
} from './deployments.sql.js';
import { refuseMissingSecrets } from './missing-secrets.js';

/** What a deployment is made of. */
export type Content = Omit<NewDeployment, 'id' | 'sha256'> & { readonly manifest: Manifest };

export interface Recorded {
  readonly deployment: DeploymentSummary;
  /** False: it is the active one, which is the same. */
  readonly created: boolean;
}

/**
 * Writes a deployment, and that its build succeeded, in the transaction that may also activate it. Only under
 * `lockActivations`.
 * @throws AppError `invalid_manifest` (400) when a declared secret is not set
 */
export async function recordDeployment(
  tx: Sql,
  projectRef: string,
  content: Content,
  build: Build | undefined,
): Promise<Recorded> {
  const { slug, manifest } = content;
  const sha256 = contentHash(content);
  const [current] = await listFunctions(tx, projectRef, slug);
  if (current?.active.sha256 === sha256) {
    await build?.succeed(tx, current.active.number);
    return { deployment: current.active, created: false };
  }
  await refuseMissingSecrets(tx, projectRef, manifest);
  const number = await insertDeployment(tx, projectRef, { ...content, id: newId(), sha256 });
  await build?.succeed(tx, number);
  return { deployment: (await findDeployment(tx, projectRef, slug, number))!, created: true };
}

/** By which a deployment is the same as another. */
function contentHash({ code, sourceMap, manifest, name, source }: Content): string {
  const hash = createHash('sha256').update(code);
  // What only moves lines makes a new deployment too, by whose lines stacks are told.
  hash.update(sourceMap ?? '').update(JSON.stringify(manifest));
  if (name !== null) hash.update(JSON.stringify({ name }));
  for (const path of source.staticFiles ?? []) hash.update(JSON.stringify([path, source.files[path]]));
  return hash.digest('hex');
}
