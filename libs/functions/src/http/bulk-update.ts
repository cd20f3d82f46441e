import { parseInput, type Sql } from '#libs/platform';
import { z } from 'zod';
import type { DeploymentName } from '../deploy/activations.js';
import { findDeployment } from '../deploy/deployments.sql.js';
import { limits } from '../limits.js';
import { checkSlug } from '../manifest/slug.js';
import { invalidRequest } from './function-errors.js';
import { deploymentJson } from './function-json.js';

/** What Supabase's CLI sends back of each function that it had bundled. */
const entry = z.strictObject({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  status: z.literal('ACTIVE', {
    error: 'expected ACTIVE; a function is ended by DELETE, or by POST …/deactivate',
  }),
  version: z.int().min(1),
  /** Of the function or of its deployment, whichever the client was last told; nothing is made of it. */
  created_at: z.int().optional(),
  verify_jwt: z.boolean().optional(),
  import_map: z.boolean().optional(),
  entrypoint_path: z.string().optional(),
  import_map_path: z.string().optional(),
  ezbr_sha256: z.string().optional(),
});
const entries = z.array(entry).min(1).max(limits.bulkFunctions);

/**
 * Reads which deployments a bulk update makes active. Whatever else it says of them must be so already: a deployment does
 * not change.
 * @throws AppError `invalid_request` (400)
 */
export async function checkBulkUpdate(
  sql: Sql,
  projectRef: string,
  body: unknown,
): Promise<DeploymentName[]> {
  const given = parseInput(z.object({ functions: entries }), { functions: body }).functions;
  for (const [index, { slug, version, status: _, created_at: __, ...rest }] of given.entries()) {
    const where = `functions.${index}`;
    const found = await findDeployment(sql, projectRef, checkSlug(slug), version);
    if (!found) throw invalidRequest(`${where}: function ${slug} has no deployment ${version}`);
    if (given.findIndex((other) => other.slug === slug) !== index)
      throw invalidRequest(`${where}: ${slug} is there twice`);
    const own = deploymentJson(found) as Record<string, unknown>;
    for (const [key, value] of Object.entries(rest)) {
      if (value === undefined || value === own[key] || (value === '' && own[key] === undefined)) continue;
      throw invalidRequest(
        `${where}.${key}: deployment ${version} of ${slug} has ${JSON.stringify(own[key]) ?? 'none'}`,
      );
    }
  }
  return given.map(({ slug, version }) => ({ slug, number: version }));
}
