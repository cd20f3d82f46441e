import { runProgram } from '#libs/platform';
import { leaveConnection } from './connection.js';
import { serverFeatures } from '../../server/src/features.js';
import { startGalley, type Galley } from '../../server/src/galley.js';
import { WorkerModule } from '../../worker/src/worker.module.js';

/** `galley start`: front doors and worker in one process. */
export async function start(projectPath: string | undefined): Promise<void> {
  const startedAt = performance.now();
  await runProgram(async () => {
    const galley = await startGalley({
      name: 'galley',
      features: [...serverFeatures, WorkerModule],
      projectPath,
      watch: true,
    });
    await leaveOwnConnection(galley);
    process.stdout.write(welcome(galley, projectPath, performance.now() - startedAt));
    return galley;
  });
}

async function leaveOwnConnection({ platform }: Galley): Promise<void> {
  const { publishableKey, secretKey } = platform.projects.first.keys;
  await leaveConnection(platform.config.dataDir, {
    url: platform.config.internalUrl,
    publishableKey,
    secretKey,
  });
}

/** What a newcomer needs to know next. */
function welcome({ platform }: Galley, projectPath: string | undefined, readyMs: number): string {
  const { keys, apiUrl } = platform.projects.first;
  const { config } = platform;
  const next =
    projectPath === undefined
      ? 'npm run demo          in a second terminal: a picture becomes thumbnails'
      : `change a function in ${projectPath}: it is deployed again; a new migration is applied at the next start`;
  return `
  Galley is ready (${(readyMs / 1000).toFixed(2)} s).

  URL               ${apiUrl}
  publishable key   ${keys.publishableKey}
  secret key        ${keys.secretKey}
  anon key          ${keys.anonKey}
  service_role key  ${keys.serviceRoleKey}
  data              ${platform.isEmbedded ? config.dataDir : 'PostgreSQL at DATABASE_URL'}

  Next:  ${next}
  Stop:  Ctrl-C

`;
}
