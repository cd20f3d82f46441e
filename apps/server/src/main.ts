// The front doors alone, as many processes as you like: `node dist/apps/server/src/main.js [project folder]`.
import { runProgram } from '#libs/platform';
import { serverFeatures } from './features.js';
import { startGalley } from './galley.js';

await runProgram(() =>
  startGalley({ name: 'server', features: serverFeatures, projectPath: process.argv[2], watch: false }),
);
