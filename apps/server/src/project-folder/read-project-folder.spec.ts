import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionSources } from './function-sources.js';
import { readProjectFolder } from './read-project-folder.js';

let scratch: string;
let root: string;

const write = async (path: string, text = '') => {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), text);
};

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'galley-folder-'));
  root = join(scratch, 'project');
  await write('supabase/functions/hello/index.ts', 'hello');
});
afterEach(() => rm(scratch, { recursive: true }));

describe('the settings of a project folder', () => {
  it('may be missing, and say which of them are there', async () => {
    expect(await readProjectFolder(root)).toMatchObject({
      settingsFiles: [],
      functions: [{ slug: 'hello' }],
    });
    await write('galley.toml');
    expect((await readProjectFolder(root)).settingsFiles).toEqual(['galley.toml']);
  });

  it('tell what the data API shows', async () => {
    await write(
      'supabase/config.toml',
      '[api]\nschemas = ["public", "api"]\nextra_search_path = ["tools"]\nmax_rows = 1000\n',
    );
    const { environment, unused } = await readProjectFolder(root);
    expect(environment).toEqual({
      PGRST_DB_SCHEMAS: 'public,api',
      PGRST_DB_EXTRA_SEARCH_PATH: 'tools',
      PGRST_DB_MAX_ROWS: '1000',
    });
    expect(unused).toEqual([]);
  });

  it('may hold no tables but those that the refusal names', async () => {
    await writeFile(join(root, 'galley.toml'), '[function.hello]\n');
    await expect(readProjectFolder(root)).rejects.toThrow(
      `${join(root, 'galley.toml')} is wrong: unknown key "function"; expected functions, webhooks`,
    );
  });

  it.each(['galley.toml', 'supabase/config.toml', 'supabase/migrations', 'supabase/functions'])(
    'are not taken for missing when %s cannot be read',
    async (path) => {
      await rm(join(root, path), { recursive: true, force: true });
      // A file in the place of a folder, and the other way round.
      if (path.endsWith('.toml')) await mkdir(join(root, path));
      else await writeFile(join(root, path), '');
      await expect(readProjectFolder(root)).rejects.toThrow(`${join(root, path)} cannot be read: `);
    },
  );
});

describe('the functions of a project folder', () => {
  it('are without those that config.toml disables, which are named', async () => {
    await write('supabase/functions/other/index.ts');
    await write('supabase/config.toml', '[functions.hello]\nenabled = false\n');
    const { functions, disabled } = await readProjectFolder(root);
    expect(functions.map(({ slug }) => slug)).toEqual(['other']);
    expect(disabled).toEqual(['hello']);
  });

  it('are without folders that hold none, which are named, unless settings speak of them', async () => {
    await mkdir(join(root, 'supabase/functions/empty'));
    await mkdir(join(root, 'supabase/functions/promised'));
    await write('galley.toml', '[functions.promised]\n');
    const { functions, unused } = await readProjectFolder(root);
    expect(functions.map(({ slug }) => slug)).toEqual(['hello', 'promised']);
    expect(unused).toEqual(['functions/empty/index.ts (missing)']);
  });
});

it('leaves out installed packages, which are many, and keeps what names them', async () => {
  await write('supabase/functions/node_modules/ms/index.js', 'ms');
  await write('supabase/functions/hello/node_modules/ms/index.js', 'ms');
  await write('supabase/functions/hello/package.json', '{}');
  expect((await readProjectFolder(root)).unused).toEqual([]);
  const { files } = await functionSources(root, 'hello');
  expect([...files.keys()].toSorted()).toEqual(['functions/hello/index.ts', 'functions/hello/package.json']);
});

describe('symbolic links in a project folder', () => {
  it('are followed where they stay in it', async () => {
    await write('lib/cors.ts', 'cors');
    await write('lib/more/index.ts', 'more');
    await symlink('../../lib', join(root, 'supabase/functions/_shared'));
    await symlink('../../lib/more', join(root, 'supabase/functions/linked'));
    await symlink('../../../lib/cors.ts', join(root, 'supabase/functions/hello/cors.ts'));
    expect((await readProjectFolder(root)).functions.map(({ slug }) => slug)).toEqual(['hello', 'linked']);
    const { files, leftOut } = await functionSources(root, 'hello');
    expect(leftOut).toEqual([]);
    expect([...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]).toSorted()).toEqual([
      ['functions/_shared/cors.ts', 'cors'],
      ['functions/_shared/more/index.ts', 'more'],
      ['functions/hello/cors.ts', 'cors'],
      ['functions/hello/index.ts', 'hello'],
    ]);
  });

  it('are left out and named where they lead out of it, to something hidden, or to nothing', async () => {
    await writeFile(join(scratch, 'outside.ts'), 'outside');
    await write('.env', 'SECRET=1');
    await symlink(scratch, join(root, 'supabase/functions/away'));
    await symlink('../../../../outside.ts', join(root, 'supabase/functions/hello/outside.ts'));
    await symlink('../../../.env', join(root, 'supabase/functions/hello/settings'));
    await symlink('./gone.ts', join(root, 'supabase/functions/hello/nothing.ts'));
    const { unused } = await readProjectFolder(root);
    expect(unused).toEqual(['functions/away (leads out of the project folder)']);
    const { files, leftOut } = await functionSources(root, 'hello');
    expect([...files.keys()]).toEqual(['functions/hello/index.ts']);
    expect(leftOut.toSorted()).toEqual([
      'functions/hello/nothing.ts',
      'functions/hello/outside.ts',
      'functions/hello/settings',
    ]);
  });

  it('end where they lead back', async () => {
    await symlink('..', join(root, 'supabase/functions/hello/up'));
    const { files } = await functionSources(root, 'hello');
    expect([...files.keys()]).toEqual(['functions/hello/index.ts']);
  });
});
