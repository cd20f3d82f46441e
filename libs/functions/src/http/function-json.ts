import type { DeploymentSummary, FunctionSummary } from '../deploy/deployments.sql.js';
import { previewName } from './preview.js';

/** A function as Supabase's management API shows it: times in milliseconds; `galley` is the manifest. */
export function functionJson(fn: FunctionSummary) {
  return {
    ...deploymentJson(fn.active),
    status: 'ACTIVE',
    created_at: fn.createdAt.getTime(),
    updated_at: fn.updatedAt.getTime(),
  };
}

/** One of its deployments. `status` is left to who knows which one is active. */
export function deploymentJson(deployment: DeploymentSummary) {
  return {
    id: deployment.id,
    slug: deployment.slug,
    name: deployment.name ?? deployment.slug,
    version: deployment.number,
    preview: previewName(deployment),
    verify_jwt: (deployment.manifest as { verify_jwt: boolean }).verify_jwt,
    entrypoint_path: deployment.entrypoint,
    import_map: deployment.importMap !== null,
    // Left out where there is none: Supabase's CLI takes no null here.
    ...(deployment.importMap !== null && { import_map_path: deployment.importMap }),
    ezbr_sha256: deployment.sha256,
    created_at: deployment.createdAt.getTime(),
    galley: deployment.manifest,
  };
}
