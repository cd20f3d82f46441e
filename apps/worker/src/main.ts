// Carries events to functions, as many processes as you like: `node dist/apps/worker/src/main.js`.
import { runProgram } from '#libs/platform';
import { HealthModule } from '../../server/src/features.js';
import { startGalley } from '../../server/src/galley.js';
import { WorkerModule } from './worker.module.js';

await runProgram(() =>
  startGalley({
    name: 'worker',
    features: [WorkerModule, HealthModule],
    projectPath: undefined,
    watch: false,
  }),
);
