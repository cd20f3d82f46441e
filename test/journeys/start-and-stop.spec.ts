import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '#libs/platform';
import { eventually } from '../support/eventually.js';
import { spawnProgram, startProcess, type GalleyProcess } from '../support/galley-process.js';
import { freePort } from '../support/server.js';
import { avatarsProject, newClient } from '../support/story.js';

/** Command lines of processes that work in `directory`. */
function processesIn(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(directory));
}

describe('Galley as a newcomer starts it', () => {
  let dataDir: string;
  let running: GalleyProcess[] = [];
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'galley-start-'));
  });
  afterEach(async () => {
    await Promise.all(running.map((one) => one.end('SIGTERM')));
    running = [];
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (environment: Record<string, string> = {}, args: readonly string[] = []) => {
    const galley = await startProcess({
      program: 'cli',
      args: ['start', ...args],
      environment: { GALLEY_DATA_DIR: dataDir, ...environment },
    });
    running.push(galley);
    await eventually(() => galley.output().includes('Stop:'), { what: 'the end of the welcome' });
    return galley;
  };
  /** Starts what will refuse to start, and returns what it said. */
  const refusal = async (environment: Record<string, string>, args: readonly string[] = []) => {
    const port = environment['PORT'] ? Number(environment['PORT']) : await freePort();
    const program = spawnProgram({
      program: 'cli',
      args: ['start', ...args],
      environment: { GALLEY_DATA_DIR: dataDir, ...environment },
      port,
    });
    expect(await program.ended).toBe(1);
    return program.output().trim();
  };

  it('tells the URL, both kinds of keys and the next command, and the keys work', async () => {
    const galley = await start();
    const said = galley.output();
    const value = (label: string) => new RegExp(`${label}\\s+(\\S+)`).exec(said)?.[1] ?? '';
    expect(value('URL')).toBe(galley.url);
    expect(said).toContain('npm run demo');
    for (const label of ['publishable key', 'secret key', 'anon key', 'service_role key']) {
      const { error } = await newClient(galley.url, value(label)).storage.listBuckets();
      expect([label, error]).toEqual([label, null]);
    }
    expect(value('publishable key')).toMatch(/^sb_publishable_/);
    expect(value('secret key')).toMatch(/^sb_secret_/);
  });

  it('leaves no process behind after Ctrl-C, and has the same keys at the next start', async () => {
    const first = await start();
    const keys = /secret key\s+(\S+)/.exec(first.output())?.[1];
    expect(processesIn(dataDir).length).toBeGreaterThan(0);
    expect(await first.end('SIGINT')).toBe(0);
    expect(processesIn(dataDir)).toEqual([]);

    const second = await start();
    expect(/secret key\s+(\S+)/.exec(second.output())?.[1]).toBe(keys);
  });

  describe('while functions run', () => {
    const endless = `Deno.serve(async (request) => {
      if (request.method === 'GET') return new Response('ready');
      return new Promise<Response>(() => setTimeout(() => {}, 600_000));
    });`;
    let galley: GalleyProcess;
    let authorization: string;

    /** Starts Galley with a function that an HTTP call and an event keep running. */
    const startBusy = async () => {
      galley = await start();
      authorization = `Bearer ${/secret key\s+(\S+)/.exec(galley.output())![1]}`;
      const form = new FormData();
      const on = [{ event: 'row.inserted', table: 'public.jobs' }];
      form.append(
        'metadata',
        JSON.stringify({ name: 'endless', entrypoint_path: 'index.ts', galley: { on } }),
      );
      form.append('file', new Blob([endless]), 'index.ts');
      const manage = (path: string, body: string | FormData, headers = {}) =>
        fetch(`${galley.url}/v1/projects/local${path}`, {
          method: 'POST',
          body,
          headers: { authorization, ...headers },
        });
      const json = { 'content-type': 'application/json' };
      const migration = JSON.stringify({ name: '1_jobs', query: 'create table public.jobs (id int)' });
      expect((await manage('/database/migrations', migration, json)).status).toBe(201);
      expect((await manage('/functions/deploy?slug=endless', form)).status).toBe(201);
      const insert = { method: 'POST', body: '{"id":1}', headers: { authorization, ...json } };
      expect((await fetch(`${galley.url}/rest/v1/jobs`, insert)).status).toBe(201);
      const call = { method: 'POST', headers: { authorization } };
      void fetch(`${galley.url}/functions/v1/endless`, call).catch(() => {});
      await eventually(async () => {
        const metrics = await (await fetch(`${galley.url}/metrics`, { headers: { authorization } })).text();
        return metrics.includes('galley_function_instances{state="busy"} 2');
      });
    };

    it('is down soon after Ctrl-C, and the event is tried anew at the next start', async () => {
      await startBusy();
      const stoppedAt = performance.now();
      expect(await galley.end('SIGINT')).toBe(0);
      // The promise is 2 s; a function would go on for ten minutes.
      expect(performance.now() - stoppedAt).toBeLessThan(4_000);
      expect(processesIn(dataDir)).toEqual([]);
      const again = await start();
      const delivery = await eventually(async () => {
        const response = await fetch(`${again.url}/v1/projects/local/deliveries`, {
          headers: { authorization },
        });
        const [first] = (await response.json()) as { state: string; attempts: number }[];
        return first?.state === 'running' && first;
      });
      // The try that was cut off by our own stop is not counted.
      expect(delivery).toMatchObject({ attempts: 1 });
      await eventually(
        async () => {
          const metrics = await fetch(`${again.url}/metrics`, { headers: { authorization } });
          return /^galley_function_instances\{state="busy"\} 1$/m.test(await metrics.text());
        },
        { what: 'the function at work' },
      );
    });

    it('is down at once after a second Ctrl-C, with nothing left behind', async () => {
      await startBusy();
      const ended = galley.end('SIGINT');
      await galley.end('SIGINT');
      await ended;
      await eventually(() => processesIn(dataDir).length === 0, { what: 'all processes being gone' });
      await start();
    });
  });

  it('leaves nothing that others may read, and no key in the log', async () => {
    const galley = await start({ LOG_LEVEL: 'trace' });
    const secret = /secret key\s+(\S+)/.exec(galley.output())![1]!;
    await newClient(galley.url, secret).storage.listBuckets();
    expect(galley.output().split(secret)).toHaveLength(2); // Once: in the welcome.
    for (const name of ['master.key', 'connection.json', 'galley.pid', 'postgres.log']) {
      const mode = spawnSync('stat', ['-c', '%a', join(dataDir, name)], { encoding: 'utf8' }).stdout.trim();
      expect([name, mode]).toEqual([name, '600']);
    }
  });

  it('says in one line that its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const said = await refusal({ PORT: String(port) });
    other.close();
    expect(said).toBe(
      `Port ${port} is taken. Stop the other program, or choose another port: PORT=${port + 1} npm start`,
    );
    expect(processesIn(dataDir)).toEqual([]);
  });

  it('says in one line that its data directory is in use', async () => {
    const galley = await start();
    expect(await refusal({})).toBe(
      `The data directory ${dataDir} is in use by process ${galley.pid}. Stop that one, or set GALLEY_DATA_DIR to another place.`,
    );
  });

  it.each([
    ['a wrong port', { PORT: '99999' }, 'PORT'],
    ['a short JWT secret', { JWT_SECRET: 'short' }, 'JWT_SECRET'],
    [
      'a database that does not answer',
      { DATABASE_URL: 'postgresql://x:y@127.0.0.1:1/z', GALLEY_MASTER_KEY: 'A'.repeat(43) },
      'DATABASE_URL',
    ],
    [
      'a database without a master key',
      { DATABASE_URL: 'postgresql://x:y@127.0.0.1:1/z' },
      'GALLEY_MASTER_KEY',
    ],
    ['a Redis that does not answer', { REDIS_URL: 'redis://127.0.0.1:1' }, 'REDIS_URL'],
  ])('says in one line what is wrong with %s', async (_, environment: Record<string, string>, named) => {
    const said = await refusal(environment);
    expect(said).toContain(named);
    expect(said.split('\n')).toHaveLength(1);
    // What it had started by then ends when it finds its standard input at an end.
    await eventually(() => processesIn(dataDir).length === 0);
  });

  it('says which line of a damaged config.toml is wrong', async () => {
    const project = await mkdtemp(join(tmpdir(), 'galley-project-'));
    spawnSync('mkdir', [join(project, 'supabase')]);
    await writeFile(join(project, 'supabase', 'config.toml'), 'project_id = "x"\n[auth\n');
    expect(await refusal({}, [project])).toContain('config.toml is not valid TOML (line 2');
    await rm(project, { recursive: true });
  });

  it('says that a folder is not a project folder', async () => {
    expect(await refusal({}, [dataDir])).toBe(
      `${dataDir} is not a project folder: it has no folder \`supabase\`.`,
    );
  });

  it('uses the keys of a self-hosted Supabase that are given, and keeps them', async () => {
    const secret = 'a JWT secret brought along from elsewhere';
    const first = await start({ JWT_SECRET: secret, SITE_URL: 'https://app.example.com' });
    const anonKey = /anon key\s+(\S+)/.exec(first.output())![1]!;
    await first.end('SIGTERM');
    running = [];
    const second = await start({ JWT_SECRET: secret });
    expect(/anon key\s+(\S+)/.exec(second.output())![1]).toBe(anonKey);
    const { error } = await newClient(second.url, anonKey).from('nothing').select();
    expect(error?.code).toBe('PGRST205');
  });

  it('applies the migrations of a project folder once', async () => {
    const first = await start({}, [avatarsProject]);
    expect(first.output()).toContain('20261101000000_profiles.sql');
    await first.end('SIGTERM');
    running = [];
    const second = await start({}, [avatarsProject]);
    expect(second.output()).not.toContain('20261101000000_profiles.sql');
  });

  it('refuses a Node that is too old, with what to do', () => {
    const script = join(repositoryRoot, 'scripts', 'prepare.mjs');
    const asOldNode = `Object.defineProperty(process.versions, 'node', { value: '18.20.4' });
      const { prepare } = await import(${JSON.stringify(script)}); await prepare();`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', asOldNode], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr.trim()).toBe('Galley needs Node 20.19 or newer; this is 18.20.4. Install a newer Node.');
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot('works as an ordinary user as well as as root', async () => {
    const nobody = 65_534;
    await chown(dataDir, nobody, nobody);
    const main = join(repositoryRoot, 'dist', 'apps', 'cli', 'src', 'main.js');
    const galley = spawnSync('timeout', ['-s', 'INT', '6', process.execPath, main, 'start'], {
      encoding: 'utf8',
      uid: nobody,
      gid: nobody,
      env: {
        PATH: process.env['PATH'],
        HOME: dataDir,
        GALLEY_DATA_DIR: dataDir,
        PORT: String(await freePort()),
      },
    });
    expect(galley.stdout + galley.stderr).toContain('Galley is ready');
    expect(existsSync(join(dataDir, 'postgres', 'PG_VERSION'))).toBe(true);
    expect(processesIn(dataDir)).toEqual([]);
  });
});
