import { constants, existsSync, lstatSync, readdirSync } from 'node:fs';
import { copyFile, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { draftPrefix, type DeploymentDirectory } from './deployment-directory.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** Deno's databases of what V8 compiled and of what modules import, which takes as long to find out. */
const databases = ['v8_code_cache_v2', 'dep_analysis_cache_v2'].flatMap((name) => [
  name,
  `${name}-wal`,
  `${name}-shm`,
]);

/**
 * Keeps what V8 compiled in the first process of a deployment: the second start of a function that bundles
 * supabase-js takes half as long. The files were the function's, and are nobody else's: they are given back to no other
 * deployment, nor followed where they lead.
 *
 * They belong together and are read at any time, so they are made ready beside their place and put there in one step.
 * @param from the Deno directory of that process
 */
export async function keepCompiledCode(
  from: string,
  { path, denoDirectory, compiledDirectory }: DeploymentDirectory,
): Promise<void> {
  if (existsSync(compiledDirectory) || !lstatSync(from).isDirectory()) return;
  const contents = await readDatabases(from);
  if (!contents) return;
  const draft = await mkdtemp(join(dirname(path), draftPrefix));
  try {
    for (const entry of readdirSync(denoDirectory, { withFileTypes: true }))
      if (entry.isFile()) await copyFile(join(denoDirectory, entry.name), join(draft, entry.name));
    await writeDatabases(contents, draft);
    // Fails when another process was faster.
    await rename(draft, compiledDirectory);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Puts into `to` what V8 compiled in a process in which no function ever ran: the loader, and what Deno itself loads
 * late, a quarter of a start.
 * @param from the Deno directory of that process
 */
export async function addCompiledCode(from: string, to: string): Promise<void> {
  const contents = await readDatabases(from);
  if (contents) await writeDatabases(contents, to);
}

async function writeDatabases(contents: ReadonlyMap<string, Buffer>, directory: string): Promise<void> {
  for (const [name, bytes] of contents) await writeFile(join(directory, name), bytes);
}

/** Null when one of them is not there. */
async function readDatabases(from: string): Promise<Map<string, Buffer> | null> {
  const contents = new Map<string, Buffer>();
  for (const name of databases) {
    const file = await open(join(from, name), constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => null);
    if (!file) return null;
    const { size } = await file.stat();
    if (size <= limits.fileBytes) contents.set(name, await file.readFile());
    await file.close();
  }
  return contents;
}
