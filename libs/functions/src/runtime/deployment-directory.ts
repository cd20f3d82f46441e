import { execFile } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, readdirSync, statSync, utimesSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { isPlainPath } from '../bundle/plain-path.js';
import { bootError } from './boot-error.js';
import { hasHashes, hasSizes, writeContents } from './code-contents.js';
import { mainFile } from './function-runtime.js';
import { runtimeBases } from './run-directory.js';
import { runtimeLimits as limits } from './runtime-limits.js';

const execute = promisify(execFile);

/** Begins the names of what is not ready yet. */
export const draftPrefix = '.draft-';

type Files = () => Promise<ReadonlyMap<string, Uint8Array>>;

export interface DeploymentDirectory {
  readonly path: string;
  readonly codeDirectory: string;
  readonly codeFile: string;
  readonly denoDirectory: string;
  /** The same with V8's compiled code of an earlier process, once there was one. */
  readonly compiledDirectory: string;
  /** Whether V8's compiled code of an earlier process is there, and the code is large enough for that to matter. */
  savesCompiling(): boolean;
}

/**
 * The unpacked deployments of this host, `<base>/deployments/<hash of the id>/`, each with
 * - `code/`, all that the function may read: `main.js` and its static files; and
 * - `deno/`, the Deno directory that the deployment's instances share, so that V8's compiled code is kept: the second
 *   start of a function that bundles supabase-js takes half as long. Its files are made beforehand and nothing can be
 *   added to it, because Deno lets a function write there through `caches` and `localStorage` without any permission.
 *   It is never shared by two deployments, so a function can only ever feed compiled code to itself; and
 * - `compiled/`, where instances have Deno directories of their own: what theirs begin with.
 */
export class DeploymentDirectories {
  readonly #root: string;
  readonly #ready = new Map<string, Promise<DeploymentDirectory>>();
  #template: Promise<string> | null = null;

  /** @param runDirectory what this process keeps for as long as it lives */
  constructor(
    private readonly deno: string,
    base: string,
    private readonly runDirectory: string,
  ) {
    this.#root = join(base, 'deployments');
  }

  /** The directory of a deployment, written on first use. */
  async of(deploymentId: string, uid: number | null, files: Files): Promise<DeploymentDirectory> {
    const known = this.#ready.get(deploymentId);
    if (known && isWhole((await known).path)) return known;
    const made = this.#make(deploymentId, uid, files);
    this.#ready.set(deploymentId, made);
    made.catch(() => this.#ready.delete(deploymentId));
    return made;
  }

  async #make(deploymentId: string, uid: number | null, files: Files): Promise<DeploymentDirectory> {
    const path = join(this.#root, directoryName(deploymentId));
    if (await isSound(path)) {
      const now = new Date();
      utimesSync(path, now, now);
      return parts(path);
    }
    // Cut short by a loss of power, or damaged by somebody: the code is in the database.
    if (existsSync(path)) await removeTree(path);
    const template = await this.template();
    await mkdir(this.#root, { recursive: true });
    await chmod(this.#root, 0o711);
    const draft = await mkdtemp(join(this.#root, draftPrefix));
    try {
      await this.#fill(draft, template, uid, files);
      await rename(draft, path);
    } catch (error) {
      await removeTree(draft);
      // Another process was faster; an id always means the same code.
      if (!isWhole(path)) throw error;
    }
    return parts(path);
  }

  async #fill(draft: string, template: string, uid: number | null, files: Files): Promise<void> {
    const { codeDirectory, denoDirectory } = parts(draft);
    const written = await files();
    for (const [path, bytes] of written) {
      if (!isPlainPath(path)) throw bootError(`${JSON.stringify(path)} is no plain path.`);
      await mkdir(join(codeDirectory, dirname(path)), { recursive: true });
      await writeFile(join(codeDirectory, path), bytes, { flush: true });
    }
    await cp(template, denoDirectory, { recursive: true, verbatimSymlinks: true });
    // Last: without it nothing counts as written.
    await writeContents(draft, written);
    giveTo(uid, draft);
  }

  /** Has the code looked at closely before the next start: after one that failed, say. */
  doubt(deploymentId: string): void {
    this.#ready.delete(deploymentId);
  }

  /** The template, made again if that failed before, or if somebody has removed it. */
  async template(): Promise<string> {
    const known = this.#template;
    if (known && existsSync(await known)) return known;
    if (this.#template === known) {
      const made = this.#makeTemplate();
      this.#template = made;
      made.catch(() => (this.#template = null));
    }
    return this.#template ?? this.template();
  }

  /** Has `change` add to what all Deno directories begin as; nobody sees it half done. */
  async changeTemplate(change: (directory: string) => Promise<void>): Promise<void> {
    const changed = join(await mkdtemp(join(this.runDirectory, 'template-')), 'deno');
    await cp(await this.template(), changed, { recursive: true, verbatimSymlinks: true });
    await change(changed);
    this.#template = Promise.resolve(changed);
  }

  /** A Deno directory in which no function has ever run, with the databases that Deno makes at its first start. */
  async #makeTemplate(): Promise<string> {
    await mkdir(this.runDirectory, { recursive: true });
    const directory = await mkdtemp(join(this.runDirectory, 'template-'));
    try {
      await this.#runNothing(directory);
    } catch (error) {
      await removeTree(directory);
      throw error;
    }
    return join(directory, 'deno');
  }

  async #runNothing(directory: string): Promise<void> {
    const script = join(directory, 'empty.js');
    await writeFile(script, 'export {};');
    const args = [
      'run',
      '--quiet',
      '--no-prompt',
      '--no-remote',
      '--no-npm',
      '--no-config',
      '--no-lock',
      script,
    ];
    const env = { DENO_DIR: join(directory, 'deno'), DENO_NO_UPDATE_CHECK: '1' };
    await execute(this.deno, args, { env, cwd: directory, timeout: limits.bootTimeoutMs });
  }
}

/** Keeps the `limits.deploymentDirectories` most recently used deployments and removes leftovers of broken starts. */
export async function sweepDeploymentDirectories(dataDir: string): Promise<void> {
  for (const base of runtimeBases(dataDir)) {
    const root = join(base, 'deployments');
    const entries: { path: string; mtimeMs: number }[] = [];
    for (const name of await readdir(root).catch(() => [])) {
      const path = join(root, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
      const broken = name.startsWith('.') && Date.now() - mtimeMs > 3_600_000;
      if (broken) await removeTree(path);
      else if (!name.startsWith('.')) entries.push({ path, mtimeMs });
    }
    entries.sort((a, b) => b.mtimeMs - a.mtimeMs);
    for (const { path } of entries.slice(limits.deploymentDirectories)) await removeTree(path);
  }
}

function directoryName(deploymentId: string): string {
  return createHash('sha256').update(deploymentId).digest('hex').slice(0, 32);
}

/** Whether all is there that was written, as far as sizes tell. */
function isWhole(path: string): boolean {
  const { codeDirectory, denoDirectory } = parts(path);
  return existsSync(denoDirectory) && hasSizes(codeDirectory, path);
}

/** Whether it is what was written: too slow to be asked at every start. */
async function isSound(path: string): Promise<boolean> {
  return isWhole(path) && (await hasHashes(parts(path).codeDirectory, path));
}

function parts(path: string): DeploymentDirectory {
  const codeDirectory = join(path, 'code');
  const codeFile = join(codeDirectory, mainFile);
  const denoDirectory = join(path, 'deno');
  const compiledDirectory = join(path, 'compiled');
  return {
    path,
    codeDirectory,
    codeFile,
    denoDirectory,
    compiledDirectory,
    savesCompiling: () => existsSync(compiledDirectory) && statSync(codeFile).size >= limits.largeCodeBytes,
  };
}

/** Lets `uid` read the code with its static files, write the database files, and add nothing. */
function giveTo(uid: number | null, path: string): void {
  const { codeDirectory, denoDirectory } = parts(path);
  const group = (target: string) => uid !== null && chownSync(target, process.getuid!(), uid);
  for (const name of readdirSync(denoDirectory)) {
    const file = join(denoDirectory, name);
    if (lstatSync(file).isFile()) {
      chmodSync(file, 0o600);
      if (uid !== null) chownSync(file, uid, uid);
    } else if (lstatSync(file).isDirectory()) {
      chmodSync(file, 0o555);
    }
  }
  for (const entry of readdirSync(codeDirectory, { recursive: true, withFileTypes: true })) {
    const target = join(entry.parentPath, entry.name);
    group(target);
    chmodSync(target, entry.isDirectory() ? 0o550 : 0o440);
  }
  for (const directory of [codeDirectory, denoDirectory, path]) {
    group(directory);
    chmodSync(directory, directory === path ? 0o750 : 0o550);
  }
}

/** `rm -r` that also gets into directories without write permission. */
async function removeTree(path: string): Promise<void> {
  await openTree(path);
  await rm(path, { recursive: true, force: true });
}

async function openTree(directory: string): Promise<void> {
  await chmod(directory, 0o700).catch(() => {});
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await openTree(join(directory, entry.name));
  }
}
