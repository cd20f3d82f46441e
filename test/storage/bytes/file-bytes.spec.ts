import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileObjectBytes } from '#libs/storage';
import { objectBytesContract } from './object-bytes.contract.js';

describe('FileObjectBytes', () => {
  objectBytesContract(async () => {
    const root = await mkdtemp(join(tmpdir(), 'galley-bytes-'));
    return { bytes: new FileObjectBytes(root), close: () => rm(root, { recursive: true }) };
  });

  describe('on disk', () => {
    let root: string;
    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'galley-bytes-'));
    });
    afterEach(() => rm(root, { recursive: true }));

    it('leaves no unfinished file when a write fails', async () => {
      const bytes = new FileObjectBytes(root);
      async function* failing() {
        yield Buffer.from('half');
        throw new Error('gone');
      }
      await expect(bytes.write('p/a', failing(), 100)).rejects.toThrow('gone');
      expect(await readdir(join(root, '.unfinished'))).toEqual([]);
    });

    it('removes what a crash left unfinished, but not what is being written', async () => {
      const directory = join(root, '.unfinished');
      await mkdir(directory);
      await writeFile(join(directory, 'old'), 'x');
      await writeFile(join(directory, 'new'), 'x');
      await utimes(join(directory, 'old'), new Date(0), new Date(0));
      await new FileObjectBytes(root).removeUnfinished(new Date(Date.now() - 1000));
      expect(await readdir(directory)).toEqual(['new']);
    });

    it.each(['../x', 'a/../b', '/etc/passwd', 'a//b', '.unfinished/x', 'a\0b', ''])(
      'refuses the key %j',
      async (key) => {
        await expect(new FileObjectBytes(root).read(key)).rejects.toBeInstanceOf(TypeError);
      },
    );
  });
});
