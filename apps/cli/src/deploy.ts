import { OperatorError } from '#libs/platform';
import { functionSourceFiles } from '../../server/src/project-folder/deploy-functions.js';
import {
  readProjectFolder,
  type FolderFunction,
  type ProjectFolder,
} from '../../server/src/project-folder/read-project-folder.js';
import { manage, type Connection } from './connection.js';

/** `galley deploy`: brings a project folder's migrations and functions to a running server. */
export async function deploy(
  connection: Connection,
  path: string,
  say: (line: string) => void,
): Promise<void> {
  const folder = await readProjectFolder(path);
  if (folder.migrations.length + folder.functions.length === 0) {
    throw new OperatorError(`${folder.root} has neither migrations nor functions.`);
  }
  for (const migration of folder.migrations) {
    const name = migration.name.replace(/\.sql$/, '');
    const { applied } = await manage<{ applied: boolean }>(connection, '/database/migrations', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, query: migration.sql }),
    });
    say(`migration ${name}: ${applied ? 'applied' : 'was applied before'}`);
  }
  for (const fn of folder.functions) {
    const { version } = await deployFunction(connection, folder, fn);
    say(`function ${fn.slug}: deployment ${version}`);
  }
}

async function deployFunction(connection: Connection, folder: ProjectFolder, fn: FolderFunction) {
  const form = new FormData();
  const metadata = {
    name: fn.slug,
    entrypoint_path: fn.entrypoint,
    import_map_path: fn.importMap,
    galley: fn.manifest,
  };
  form.append('metadata', JSON.stringify(metadata));
  for (const [name, bytes] of await functionSourceFiles(folder.root, fn.slug)) {
    form.append('file', new Blob([new Uint8Array(bytes)]), name);
  }
  return manage<{ version: number }>(connection, `/functions/deploy?slug=${encodeURIComponent(fn.slug)}`, {
    method: 'POST',
    body: form,
  });
}
