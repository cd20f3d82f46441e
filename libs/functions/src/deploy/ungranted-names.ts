import type { Sql } from '#libs/platform';
import { declaredSecrets } from '../manifest/egress-secrets.js';
import type { Manifest } from '../manifest/manifest.js';

/**
 * What to say of the variables that a bundle reads and will not find, a line each: code that was written for Supabase
 * takes the service key and all secrets for granted, and fails without them far from the reason.
 */
export async function ungrantedNames(
  sql: Sql,
  projectRef: string,
  { permissions }: Manifest,
  code: Uint8Array,
): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(
    'select name from secrets where project_ref = $1 and name <> all($2::text[]) order by name',
    [projectRef, declaredSecrets(permissions)],
  );
  const text = Buffer.from(code).toString('latin1');
  const reads = (name: string) => new RegExp(`(["'\`])${name}\\1|\\benv\\.${name}\\b`).test(text);
  const lines = rows
    .filter(({ name }) => reads(name))
    .map(({ name }) => `reads ${name}, which galley.toml does not grant: declare permissions.secrets`);
  if (!permissions.service_role && reads('SUPABASE_SERVICE_ROLE_KEY'))
    lines.push(
      'reads SUPABASE_SERVICE_ROLE_KEY, which galley.toml does not grant: declare permissions.service_role',
    );
  if (!permissions.database_url && reads('SUPABASE_DB_URL'))
    lines.push(
      'reads SUPABASE_DB_URL, which galley.toml does not grant: declare permissions.database_url, and the tables that it uses',
    );
  return lines;
}
