// What `npm start`, `npm test` and the others need first: the right Node, installed packages, a build that is up to date.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const oldestNode = [20, 19];

/** Installs and builds what is missing or stale, and says so. Ends the process with one line when it cannot. */
export async function prepare() {
  process.chdir(root);
  requireNode();
  install();
  build();
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return;
  fail(
    `Galley needs Node ${oldestNode.join('.')} or newer; this is ${process.versions.node}. Install a newer Node.`,
  );
}

function install() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const wanted = createHash('sha256').update(lock).digest('hex');
  const stamp = join(root, 'node_modules', '.galley-installed');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // npm would empty what the link leads to, which others use.
  if (lstatSync(dirname(stamp), { throwIfNoEntry: false })?.isSymbolicLink())
    fail('node_modules is a link to packages of another lock file. Remove it, and run this again.');
  console.error('Installing packages (once)…');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci failed; its words are above.');
  writeFileSync(stamp, wanted);
}

function build() {
  const stamp = join(root, 'dist', '.built');
  const sources = fingerprint(['apps', 'libs', 'prisma/schema', '.swcrc', 'package-lock.json']);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return;
  console.error('Building…');
  run(process.execPath, ['scripts/build.mjs'], 'The build failed; its words are above.');
  mkdirSync(dirname(stamp), { recursive: true });
  // Of the sources as they were before the build: what changed meanwhile is built next time.
  writeFileSync(stamp, sources);
}

/** Names, sizes and times of the source files: cheap, and changes whenever one of them does. */
function fingerprint(paths) {
  const hash = createHash('sha256');
  const visit = (path) => {
    const entry = statSync(path);
    if (entry.isDirectory()) {
      for (const name of readdirSync(path).toSorted()) if (name !== 'generated') visit(join(path, name));
    } else {
      hash.update(`${path}\0${entry.size}\0${entry.mtimeMs}\n`);
    }
  };
  for (const path of paths) visit(join(root, path));
  return hash.digest('hex');
}

function run(command, args, message) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) fail(message);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
