import { OperatorError } from '#libs/platform';
import type { FolderFunction } from '../../server/src/project-folder/find-functions.js';
import { functionSources } from '../../server/src/project-folder/function-sources.js';
import {
  readProjectFolder,
  type ProjectFolder,
} from '../../server/src/project-folder/read-project-folder.js';
import { twoAtOnce } from '../../server/src/project-folder/two-at-once.js';
import type { Say } from './command.js';
import { jsonBody, manage, request, type Management } from './connection.js';
import { readEvents } from './read-events.js';

/** How functions are deployed. */
export interface DeployOptions {
  /** False: without looking for type errors, whatever galley.toml says. */
  readonly check: boolean;
  /** Told of builds while they run. */
  readonly note: Say;
}

/**
 * `galley deploy`: brings a project folder's migrations, functions and webhooks to a running server.
 * @throws OperatorError naming each function and webhook that was refused, after the others were deployed.
 */
export async function deploy(
  management: Management,
  path: string,
  say: Say,
  options: DeployOptions = { check: true, note: () => {} },
): Promise<void> {
  const folder = await readProjectFolder(path, ' Name one: galley deploy <folder>');
  if (folder.migrations.length + folder.functions.length + folder.webhooks.length === 0) {
    throw new OperatorError(`${folder.root} has no migrations, functions or webhooks.`);
  }
  await applyMigrations(management, folder, say);
  for (const { name } of folder.seeds)
    say(`seed ${name}: not applied; only a server that serves the folder does`);
  const refused = await deployEach(management, folder.root, folder.functions, say, options);
  await passOver(management, folder.disabled, say);
  refused.push(...(await saveEach(management, folder.webhooks, say)));
  if (refused.length > 0) throw new OperatorError(refused.join('\n'));
}

/**
 * `galley functions deploy`: brings the named functions of a project folder to a running server, or all.
 * @throws OperatorError as {@link deploy}
 */
export async function deployNamed(
  management: Management,
  path: string,
  names: readonly string[],
  say: Say,
  options: DeployOptions,
): Promise<void> {
  const folder = await readProjectFolder(path, ' Name one with --folder.');
  const missing = names.find((name) => !folder.functions.some(({ slug }) => slug === name));
  if (missing !== undefined) {
    const why = folder.disabled.includes(missing)
      ? 'config.toml disables it'
      : `${folder.root} has none of that name`;
    throw new OperatorError(`The function ${missing} cannot be deployed: ${why}.`);
  }
  const wanted = folder.functions.filter(({ slug }) => names.length === 0 || names.includes(slug));
  if (wanted.length === 0) throw new OperatorError(`${folder.root} has no functions.`);
  const refused = await deployEach(management, folder.root, wanted, say, options);
  if (names.length === 0) await passOver(management, folder.disabled, say);
  if (refused.length > 0) throw new OperatorError(refused.join('\n'));
}

/** @returns which were refused, and why */
async function deployEach(
  management: Management,
  root: string,
  functions: readonly FolderFunction[],
  say: Say,
  { check, note }: DeployOptions,
): Promise<string[]> {
  const deployments = twoAtOnce(functions, async (fn) => {
    const manifest = check ? fn.manifest : { ...fn.manifest, check: false };
    return deployFunction(management, root, { ...fn, manifest }, note);
  });
  const refused: string[] = [];
  for (const [index, fn] of functions.entries()) {
    try {
      for (const line of await deployments[index]!) say(line);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      refused.push(`function ${fn.slug} was not deployed: ${error.message}`);
    }
  }
  return refused;
}

/** @returns which were refused, and why */
async function saveEach(
  management: Management,
  webhooks: ProjectFolder['webhooks'],
  say: Say,
): Promise<string[]> {
  const refused: string[] = [];
  for (const { name, ...webhook } of webhooks) {
    try {
      const path = `/webhooks/${encodeURIComponent(String(name))}`;
      await manage(management, path, jsonBody('PUT', webhook));
      say(`webhook ${String(name)}: saved`);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      refused.push(`webhook ${String(name)} was not saved: ${error.message}`);
    }
  }
  return refused;
}

async function applyMigrations(
  management: Management,
  { migrations }: Pick<ProjectFolder, 'migrations'>,
  say: Say,
): Promise<void> {
  for (const migration of migrations) {
    const name = migration.name.replace(/\.sql$/, '');
    const { applied } = await manage<{ applied: boolean }>(
      management,
      '/database/migrations',
      jsonBody('POST', { name, query: migration.sql }),
    );
    say(`migration ${name}: ${applied ? 'applied' : 'was applied before'}`);
  }
}

/** As the Supabase CLI does; a server that serves the folder itself switches them off. */
async function passOver(management: Management, disabled: readonly string[], say: Say): Promise<void> {
  if (disabled.length === 0) return;
  const deployed = (await manage<{ slug: string }[]>(management, '/functions')).map(({ slug }) => slug);
  for (const slug of disabled) {
    const still = deployed.includes(slug) ? '; what was deployed before still answers' : '';
    say(`function ${slug}: passed over, config.toml disables it${still}`);
  }
}

/** @returns what to say of it */
async function deployFunction(
  management: Management,
  root: string,
  fn: FolderFunction,
  note: Say,
): Promise<string[]> {
  const form = new FormData();
  const metadata = {
    name: fn.slug,
    entrypoint_path: fn.entrypoint,
    import_map_path: fn.importMap,
    static_patterns: fn.staticPatterns,
    galley: fn.manifest,
  };
  form.append('metadata', JSON.stringify(metadata));
  const { files, leftOut } = await functionSources(root, fn.slug);
  for (const [name, bytes] of files) form.append('file', new Blob([new Uint8Array(bytes)]), name);
  const version = await build(management, fn.slug, form, (line) => note(`  ${fn.slug}: ${line}`));
  return [
    ...leftOut.map((link) => `function ${fn.slug}: ${link} leads out of the project folder; left out`),
    `function ${fn.slug}: deployment ${version}`,
  ];
}

const wentAway = 'The server went away while it built the function.';

/** Deploys while the server tells how it goes. @returns the deployment's number */
async function build(management: Management, slug: string, form: FormData, onLine: Say): Promise<number> {
  const path = `/v1/projects/local/functions/deploy?slug=${encodeURIComponent(slug)}`;
  const response = await request(management, path, {
    method: 'POST',
    headers: { accept: 'text/event-stream' },
    body: form,
  });
  try {
    for await (const { event, data } of readEvents(response)) {
      const told = data as { message: string; version: number };
      if (event === 'log') onLine(told.message);
      if (event === 'deployed') return told.version;
      if (event === 'error') throw new OperatorError(told.message);
    }
  } catch (cause) {
    // `fetch` tells of a connection that broke by a TypeError.
    if (!(cause instanceof TypeError)) throw cause;
    throw new OperatorError(wentAway, { cause });
  }
  throw new OperatorError(wentAway);
}
