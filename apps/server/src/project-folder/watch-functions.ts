import { basename, join } from 'node:path';
import { watch } from 'chokidar';
import { OperatorError } from '#libs/platform';
import { deployFunctions, type DeployContext } from './deploy-functions.js';
import { packagesFolder } from './function-sources.js';
import { saveWebhooks, type WebhooksContext } from './save-webhooks.js';
import { readProjectFolder, type ProjectFolder } from './read-project-folder.js';

/** Editors write a file in several steps; a change is deployed when none has come for this long. */
const settleMs = 150;

/** Redeploys functions, and makes webhooks anew, while the server runs, when their files or settings change. Returns how to stop. */
export function watchFunctions(
  context: DeployContext & WebhooksContext,
  folder: ProjectFolder,
): () => Promise<void> {
  const { root } = folder;
  const watched = ['supabase/functions', 'supabase/config.toml', 'galley.toml'];
  const watcher = watch(
    watched.map((path) => join(root, path)),
    { ignoreInitial: true, ignored: (path) => basename(path) === packagesFolder },
  );
  let known = folder;
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();
  const redeploy = async () => {
    try {
      known = await readAgain(known);
      await deployFunctions(context, known);
      await saveWebhooks(context, known);
    } catch (error) {
      context.logger.error({ reason: (error as Error).message }, 'The change was not deployed');
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

/**
 * A settings file that goes away while the server runs was hardly meant to take all functions' limits and
 * permissions with it; a start without it is another matter.
 */
async function readAgain(known: ProjectFolder): Promise<ProjectFolder> {
  const folder = await readProjectFolder(known.root);
  const gone = known.settingsFiles.filter((path) => !folder.settingsFiles.includes(path));
  if (gone.length === 0) return folder;
  throw new OperatorError(
    `${gone.join(' and ')} went away while the server ran. Put it back, or restart to go on without it.`,
  );
}
