import { expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OperatorError } from '../errors/app-error.js';
import { launchPostmaster } from './postmaster.js';

it('is an error, and no end of this process, when the process of PostgreSQL cannot be made', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'galley-postmaster-'));
  const nowhere = join(directory, 'nowhere');
  try {
    const launched = launchPostmaster({
      binaries: { directory, postgres: nowhere, initdb: nowhere },
      cluster: directory,
      socketDir: directory,
      logPath: join(directory, 'log'),
      as: { uid: undefined, gid: undefined, prefix: [], owner: undefined },
      maxConnections: 10,
    });
    await expect(launched).rejects.toBeInstanceOf(OperatorError);
  } finally {
    await rm(directory, { recursive: true });
  }
});
