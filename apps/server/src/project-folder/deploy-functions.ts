import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { watch } from 'chokidar';
import { DeployFunction, parseManifest } from '#libs/functions';
import { AppError, OperatorError, type Logger, type Project } from '#libs/platform';
import { readProjectFolder, type FolderFunction, type ProjectFolder } from './read-project-folder.js';

/** Editors write a file in several steps; a change is deployed when none has come for this long. */
const settleMs = 150;

/** Deploys the folder's functions as they are now; those that did not change stay as they are. */
export async function deployFunctions(
  project: Project,
  folder: ProjectFolder,
  deploy: DeployFunction,
  logger: Logger,
): Promise<void> {
  for (const fn of folder.functions) {
    try {
      await deployOne(project, folder.root, fn, deploy, logger);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      throw new OperatorError(`The function ${fn.slug} could not be deployed: ${error.message}`, {
        cause: error,
      });
    }
  }
  await warnOfOthers(project, folder, deploy, logger);
}

/** A function that left the folder, or was disabled, is not deleted: its deployments could not be had back. */
async function warnOfOthers(
  project: Project,
  folder: ProjectFolder,
  deploy: DeployFunction,
  logger: Logger,
): Promise<void> {
  const kept = new Set(folder.functions.map((fn) => fn.slug));
  for (const { slug } of await deploy.list(project)) {
    if (kept.has(slug)) continue;
    logger.warn(
      `The function ${slug} is not in the project folder, but it is deployed and answers. To delete it: ` +
        `DELETE /v1/projects/${project.ref}/functions/${slug} with the secret key.`,
    );
  }
}

async function deployOne(
  project: Project,
  root: string,
  fn: FolderFunction,
  deploy: DeployFunction,
  logger: Logger,
): Promise<void> {
  const startedAt = performance.now();
  const { deployment, created } = await deploy.deploy(project, {
    slug: fn.slug,
    entrypoint: fn.entrypoint,
    importMap: fn.importMap,
    files: await functionSourceFiles(root, fn.slug),
    manifest: parseManifest(fn.slug, fn.manifest),
    check: true,
  });
  const ms = Math.round(performance.now() - startedAt);
  if (created) logger.info({ function: fn.slug, deployment: deployment.number, ms }, 'Function deployed');
}

/** Settings that all functions may share; everything else beside their folders stays here, `.env` above all. */
const sharedFiles = /^(deno\.jsonc?|import_map\.json|package\.json)$/;

/** The function's own files and those that it may import: folders whose names begin with `_`, and shared settings. */
export async function functionSourceFiles(root: string, slug: string): Promise<Map<string, Uint8Array>> {
  const functions = join(root, 'supabase', 'functions');
  const entries = await readdir(functions, { recursive: true, withFileTypes: true });
  const files = new Map<string, Uint8Array>();
  for (const entry of entries.filter((candidate) => candidate.isFile())) {
    const path = relative(functions, join(entry.parentPath, entry.name));
    const [first, ...rest] = path.split('/');
    const wanted = rest.length === 0 ? sharedFiles.test(path) : first === slug || first!.startsWith('_');
    const hidden = path.split('/').some((name) => name.startsWith('.'));
    if (wanted && !hidden) files.set(`functions/${path}`, await readFile(join(functions, path)));
  }
  return files;
}

/** Redeploys functions while the server runs, when their files or galley.toml change. Returns how to stop. */
export function watchFunctions(
  project: Project,
  root: string,
  deploy: DeployFunction,
  logger: Logger,
): () => Promise<void> {
  const watcher = watch([join(root, 'supabase', 'functions'), join(root, 'galley.toml')], {
    ignoreInitial: true,
  });
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();
  const redeploy = async () => {
    try {
      await deployFunctions(project, await readProjectFolder(root), deploy, logger);
    } catch (error) {
      // What is wrong is wrong in the developer's files: say it and keep what runs.
      logger.error({ reason: (error as Error).message }, 'The change was not deployed');
    }
  };
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      working = working.then(redeploy);
    }, settleMs);
  });
  return async () => {
    clearTimeout(timer);
    await watcher.close();
    await working;
  };
}
