// Generates the Prisma client and compiles `apps` and `libs` into `dist`.
import { spawnSync } from 'node:child_process';
import { chmodSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, 'node_modules', '.bin', name);

// `prisma generate` asks for a schema engine that it then does not use; naming one keeps it from downloading it.
run(bin('prisma'), ['generate', '--no-hints'], { PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true' });
// Built aside and then put in place whole: a build that fails or is interrupted leaves the last one.
const aside = join(root, `dist-${process.pid}`);
run(bin('swc'), ['apps', 'libs', '-d', aside, '--ignore', '**/*.spec.ts', '--quiet']);
// npm makes it executable only when it installs; `npx galley` must run after each build.
chmodSync(join(aside, 'apps', 'cli', 'src', 'main.js'), 0o755);
rmSync(join(root, 'dist'), { recursive: true, force: true });
renameSync(aside, join(root, 'dist'));

function run(command, args, env = {}) {
  const result = spawnSync(command, args, { cwd: root, env: { ...process.env, ...env }, encoding: 'utf8' });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}\n`);
  process.exit(1);
}
