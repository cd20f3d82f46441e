import { Activations, DeployFunction, parseManifest } from '#libs/functions';
import { AppError, OperatorError, type Logger, type Project } from '#libs/platform';
import type { FolderFunction } from './find-functions.js';
import { functionSources } from './function-sources.js';
import type { ProjectFolder } from './read-project-folder.js';
import { twoAtOnce } from './two-at-once.js';

/** What deploying a folder's functions needs. */
export interface DeployContext {
  readonly project: Project;
  readonly deploy: DeployFunction;
  readonly activations: Activations;
  readonly logger: Logger;
}

/**
 * Deploys the folder's functions as they are now; those that did not change stay as they are. One that cannot be
 * deployed is told of, and neither the others nor what it answered before are touched by that.
 */
export async function deployFunctions(context: DeployContext, folder: ProjectFolder): Promise<void> {
  const { project, activations, logger } = context;
  const failures = new Map<string, unknown>();
  const attempt = async (slug: string, work: Promise<void>) => {
    await work.catch((error: unknown) => failures.set(slug, error));
  };
  const deployments = twoAtOnce(folder.functions, (fn) => deployOne(context, folder.root, fn));
  for (const [index, { slug }] of folder.functions.entries()) await attempt(slug, deployments[index]!);
  for (const slug of folder.disabled) await attempt(slug, switchOff(context, slug));
  const deployed = new Map(
    (await activations.list(project)).map(({ slug, active }) => [slug, active.number]),
  );
  for (const [slug, error] of failures) tellFailure(logger, slug, error, deployed.get(slug));
  warnOfOthers(context, folder, [...deployed.keys()]);
}

async function deployOne(context: DeployContext, root: string, fn: FolderFunction): Promise<void> {
  const { project, deploy, logger } = context;
  const startedAt = performance.now();
  const manifest = parseManifest(fn.slug, fn.manifest);
  const { files, leftOut } = await functionSources(root, fn.slug);
  if (leftOut.length > 0) {
    logger.warn({ function: fn.slug, links: leftOut }, 'Left out: links that lead out of the project folder');
  }
  const { deployment, created } = await deploy.deploy(project, {
    slug: fn.slug,
    entrypoint: fn.entrypoint,
    importMap: fn.importMap,
    staticPatterns: fn.staticPatterns,
    files,
    manifest,
  });
  const ms = Math.round(performance.now() - startedAt);
  if (created) logger.info({ function: fn.slug, deployment: deployment.number, ms }, 'Function deployed');
}

async function switchOff({ project, activations, logger }: DeployContext, slug: string): Promise<void> {
  if (!(await activations.deactivate(project, slug))) return;
  logger.info({ function: slug }, 'Function switched off by config.toml; its deployments are kept');
}

/** What is wrong is wrong in the developer's files: it is said, and what runs goes on. */
function tellFailure(logger: Logger, slug: string, error: unknown, answering: number | undefined): void {
  const expected = error instanceof AppError || error instanceof OperatorError;
  const still = answering === undefined ? 'it does not answer' : `deployment ${answering} still answers`;
  logger.error(
    { function: slug, reason: (error as Error).message, ...(!expected && { err: error }) },
    `The function ${slug} was not deployed; ${still}`,
  );
}

/**
 * A function that left the folder stays as it is. It may have come from elsewhere (`galley deploy` of another folder,
 * the management API), and a folder that was renamed by mistake must not end what answers.
 */
function warnOfOthers({ project, logger }: DeployContext, folder: ProjectFolder, deployed: string[]): void {
  const known = new Set([...folder.functions.map((fn) => fn.slug), ...folder.disabled]);
  for (const slug of deployed.filter((candidate) => !known.has(candidate))) {
    logger.warn(
      `The function ${slug} is not in the project folder, but it is deployed and answers. To delete it: ` +
        `DELETE /v1/projects/${project.ref}/functions/${slug} with the secret key.`,
    );
  }
}
