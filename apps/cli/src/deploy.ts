import { OperatorError } from '#libs/platform';
import type { FolderFunction } from '../../server/src/project-folder/find-functions.js';
import { functionSources } from '../../server/src/project-folder/function-sources.js';
import {
  readProjectFolder,
  type ProjectFolder,
} from '../../server/src/project-folder/read-project-folder.js';
import { manage, type Connection } from './connection.js';

type Say = (line: string) => void;

/**
 * `galley deploy`: brings a project folder's migrations and functions to a running server.
 * @param options.check false: without looking for type errors, whatever galley.toml says
 * @throws OperatorError naming each function that was refused, after the others were deployed.
 */
export async function deploy(
  connection: Connection,
  path: string,
  say: Say,
  options: { check: boolean } = { check: true },
): Promise<void> {
  const folder = await readProjectFolder(path);
  if (folder.migrations.length + folder.functions.length === 0) {
    throw new OperatorError(`${folder.root} has neither migrations nor functions.`);
  }
  await applyMigrations(connection, folder, say);
  for (const { name } of folder.seeds)
    say(`seed ${name}: not applied; only a server that serves the folder does`);
  const refused: string[] = [];
  for (const fn of folder.functions) {
    try {
      const manifest = options.check ? fn.manifest : { ...fn.manifest, check: false };
      await deployFunction(connection, folder.root, { ...fn, manifest }, say);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      refused.push(`function ${fn.slug} was not deployed: ${error.message}`);
    }
  }
  await passOver(connection, folder.disabled, say);
  if (refused.length > 0) throw new OperatorError(refused.join('\n'));
}

async function applyMigrations(
  connection: Connection,
  { migrations }: Pick<ProjectFolder, 'migrations'>,
  say: Say,
): Promise<void> {
  for (const migration of migrations) {
    const name = migration.name.replace(/\.sql$/, '');
    const { applied } = await manage<{ applied: boolean }>(connection, '/database/migrations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, query: migration.sql }),
    });
    say(`migration ${name}: ${applied ? 'applied' : 'was applied before'}`);
  }
}

/** As the Supabase CLI does; a server that serves the folder itself switches them off. */
async function passOver(connection: Connection, disabled: readonly string[], say: Say): Promise<void> {
  if (disabled.length === 0) return;
  const deployed = (await manage<{ slug: string }[]>(connection, '/functions')).map(({ slug }) => slug);
  for (const slug of disabled) {
    const still = deployed.includes(slug) ? '; what was deployed before still answers' : '';
    say(`function ${slug}: passed over, config.toml disables it${still}`);
  }
}

async function deployFunction(
  connection: Connection,
  root: string,
  fn: FolderFunction,
  say: Say,
): Promise<void> {
  const form = new FormData();
  const metadata = {
    name: fn.slug,
    entrypoint_path: fn.entrypoint,
    import_map_path: fn.importMap,
    galley: fn.manifest,
  };
  form.append('metadata', JSON.stringify(metadata));
  const { files, leftOut } = await functionSources(root, fn.slug);
  for (const link of leftOut) say(`function ${fn.slug}: ${link} leads out of the project folder; left out`);
  for (const [name, bytes] of files) form.append('file', new Blob([new Uint8Array(bytes)]), name);
  const { version } = await manage<{ version: number }>(
    connection,
    `/functions/deploy?slug=${encodeURIComponent(fn.slug)}`,
    { method: 'POST', body: form },
  );
  say(`function ${fn.slug}: deployment ${version}`);
}
