import { AppError, type Sql } from '#libs/platform';
import { declaredSecrets } from '../manifest/egress-secrets.js';
import type { Manifest } from '../manifest/manifest.js';

/** @throws AppError `invalid_manifest` (400) naming the declared secrets that are not set */
export async function refuseMissingSecrets(tx: Sql, projectRef: string, manifest: Manifest): Promise<void> {
  const secrets = declaredSecrets(manifest.permissions);
  const { rows } = await tx.query<{ name: string }>(
    `select name from unnest($2::text[]) as declared (name)
     where not exists (select from secrets s where s.project_ref = $1 and s.name = declared.name)`,
    [projectRef, secrets],
  );
  if (rows.length === 0) return;
  const key = (name: string) => (manifest.permissions.secrets.includes(name) ? 'secrets' : 'egress_secrets');
  throw new AppError({
    code: 'invalid_manifest',
    status: 400,
    message:
      rows.map(({ name }) => `permissions.${key(name)}: the secret ${name} is not set`).join('; ') +
      `; set it by \`galley secrets set\` or POST /v1/projects/${projectRef}/secrets, then deploy again`,
  });
}
