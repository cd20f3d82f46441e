import { projectResource, type Project } from '#libs/platform';
import { createHash } from 'node:crypto';

const hashChars = 16;
const slugChars = 32;

/**
 * The PostgreSQL role that a function's tokens act as. Roles are shared by all databases of one PostgreSQL, so the
 * name says to which database, project and function it belongs.
 */
export async function functionRole(project: Project, slug: string): Promise<string> {
  return roleName(await databaseName(project), project.ref, slug);
}

/** The role of a function's previews, so that what does not answer yet gives no rights to what does. */
export async function previewRole(project: Project, slug: string): Promise<string> {
  return roleName(await databaseName(project), project.ref, slug, 'preview');
}

/**
 * The role that the function logs in as which has `role`, where it declares `database_url`. It is another one because
 * what tokens may do is bounded by more than grants: of storage only its API may touch the rows.
 */
export function loginRole(role: string): string {
  return `${role}_db`;
}

/** Always the same for one master key: it is kept nowhere. */
export function loginPassword(project: Project, login: string): string {
  return project.sealer.derive(`database login ${login}`, 24).toString('base64url');
}

export function roleName(database: string, projectRef: string, slug: string, ...purpose: string[]): string {
  const hash = createHash('sha256')
    .update([database, projectRef, slug, ...purpose].join('\0'))
    .digest('hex');
  return `galley_fn_${slug.slice(0, slugChars).toLowerCase()}_${hash.slice(0, hashChars)}`;
}

export const databaseName = projectResource('database name', async (project: Project) => {
  const { rows } = await project.database.query<{ name: string }>('select current_database() as name');
  return rows[0]!.name;
});
