import type { INestApplication } from '@nestjs/common';
import { Activations, DeployFunction } from '#libs/functions';
import {
  configFromEnvironment,
  createLogger,
  Platform,
  type Logger,
  type Project,
  type RunningProgram,
} from '#libs/platform';
import { Webhooks } from '#libs/webhooks';
import { applyMigrations } from './project-folder/apply-migrations.js';
import { deployFunctions, type DeployContext } from './project-folder/deploy-functions.js';
import { readProjectFolder, type ProjectFolder } from './project-folder/read-project-folder.js';
import { saveWebhooks, type WebhooksContext } from './project-folder/save-webhooks.js';
import { watchFunctions } from './project-folder/watch-functions.js';
import { startServer, type Feature, type Server } from './server.js';

/** A running Galley process. */
export interface Galley extends RunningProgram {
  readonly platform: Platform;
  readonly server: Server;
}

/**
 * Starts one process with the given features, serving the project folder at `path` if one is given.
 * @param options.watch redeploy functions when their files change
 * @throws OperatorError that says what to mend.
 */
export async function startGalley(options: {
  name: string;
  features: readonly Feature[];
  projectPath: string | undefined;
  watch: boolean;
}): Promise<Galley> {
  const folder = options.projectPath === undefined ? undefined : await readProjectFolder(options.projectPath);
  const config = configFromEnvironment(folder?.environment);
  const logger = createLogger({ level: config.logLevel, name: options.name });
  warnOfUnused(logger, config.unused, folder);
  const platform = await Platform.open(config, logger);
  const closers: (() => Promise<void>)[] = [() => platform.close()];
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    const project = platform.projects.first;
    if (folder) await applyMigrations(project, folder, logger);
    // Functions stand before the first request comes: an event without a subscriber would wake nobody.
    const server = await startServer(platform, options.features, async (app) => {
      if (!folder) return;
      const context = deployContext(app, project, logger);
      await deployFunctions(context, folder);
      await saveWebhooks(context, folder);
    });
    closers.push(() => server.close());
    if (folder && options.watch) {
      closers.push(watchFunctions(deployContext(server.app, project, logger), folder));
    }
    return { platform, server, stop, graceMs: config.shutdownGraceMs };
  } catch (error) {
    await stop();
    throw error;
  }
}

function deployContext(
  app: INestApplication,
  project: Project,
  logger: Logger,
): DeployContext & WebhooksContext {
  return {
    project,
    deploy: app.get(DeployFunction, { strict: false }),
    activations: app.get(Activations, { strict: false }),
    webhooks: app.get(Webhooks, { strict: false }),
    logger,
  };
}

function warnOfUnused(logger: Logger, variables: readonly string[], folder: ProjectFolder | undefined): void {
  if (variables.length > 0) {
    logger.warn(
      { variables },
      'Set but without effect: this version sends no mail; accounts are confirmed at once',
    );
  }
  if (folder && folder.unused.length > 0) {
    logger.warn(
      { unused: folder.unused },
      'Without effect here: keys of config.toml, files of the project folder',
    );
  }
}
