// Turns this process into the `galley` command, so that no launcher stays in memory beside it.
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

export async function becomeGalley(args) {
  await prepare();
  const main = join(root, 'dist', 'apps', 'cli', 'src', 'main.js');
  process.argv = [process.argv[0], main, ...args];
  process.setSourceMapsEnabled(true);
  await import(main);
}
