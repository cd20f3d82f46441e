/**
 * What hostile functions try, and where each is tested. In this folder unless another file is named; numbers are ours.
 *
 * | # | attack | tested in |
 * | --- | --- | --- |
 * | 1–4 | imports and reads of files of the host | runtime-isolation |
 * | 5 | /proc: environment, memory, other processes | files, runtime-isolation |
 * | 6, 44 | symlinks, `..` and absolute paths in what is deployed; bombs | bundle, deploy |
 * | 7 | the environment | runtime-isolation, permissions |
 * | 8–14 | addresses that are not public, by every spelling and way | network, egress.spec, public-address.spec |
 * | 15, 16 | carrying data out by names and imports | network, name-server.spec, bundle |
 * | 17, 18 | listening; sockets of others | network, runtime-isolation |
 * | 19–23 | loops, signals | processes, settings, unpaid-work |
 * | 24–31 | memory, threads, descriptors, disk | memory, runtime-ends |
 * | 32 | floods and forgeries of log lines | logs, log-reader.spec |
 * | 33, 34, 37, 48 | lies on the channel to the server | protocol, answers |
 * | 35, 36 | work after the answer | unpaid-work, metering, settings |
 * | 38, 47 | state of other people or functions | settings (oneshot), platform |
 * | 39–41 | loops of functions and queues, poison messages | invocations, events/relay |
 * | 42 | programs and libraries | runtime-isolation, seccomp-filter.spec |
 * | 43 | a module that never loads | runtime |
 * | 45 | tokens of other invocations | permissions |
 * | 46 | timing | platform |
 */
import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { arrangements, useHostileRuntime } from '../hostile-support.js';
import { call } from '../runtime-support.js';

const empty = `Deno.serve(() => new Response('here'));`;

describe.each(arrangements)('files, in the arrangement "%s"', (arrangement) => {
  const used = useHostileRuntime(arrangement);

  // 1–3, where the file is named in the graph of another thread
  it('are not imported into a thread of node:worker_threads either', async () => {
    const answer = await used.inside(
      `import('node:worker_threads').then(({ Worker }) => new Promise((yes, no) => {
        const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(
          'import { parentPort } from "node:worker_threads"; import x from "file:///etc/hosts" with { type: "text" }; parentPort.postMessage(x);')));
        worker.on('message', (text) => yes('LEAK ' + text)).on('error', no);
      }))`,
      { limits: { memoryBytes: 2 ** 31 } },
    );
    expect(answer).toMatch(/^threw Error: Requires read access to "\/etc\/hosts"/);
  });

  // 5
  it.each([
    '/proc/self/environ',
    '/proc/self/maps',
    '/proc/1/environ',
    '/proc/self/fd',
    '/proc/self/root/etc',
  ])('of the kernel are refused: %s', async (path) => {
    expect(await used.inside(`Deno.readTextFile('${path}')`)).toMatch(/Requires \w+ access/);
    expect(await used.inside(`import('node:fs').then((fs) => fs.readdirSync('${path}'))`)).toMatch(
      /Requires \w+ access|not permitted/,
    );
  });

  // 42
  it('that the runtime itself has open are not to be had by their numbers', async () => {
    const answer = await used.inside(`import('node:fs').then((fs) => {
      const open = [];
      for (let fd = 3; fd < 256; fd += 1) {
        for (const use of [() => fs.fstatSync(fd), () => fs.readSync(fd, new Uint8Array(1)), () => fs.ftruncateSync(fd, 0)]) {
          try { use(); open.push(fd); } catch (error) { if (error.code !== 'EBADF') open.push(fd + error.code); }
        }
      }
      return open;
    })`);
    expect(answer).toBe('[]');
  });

  // 6, at run time
  it.each([
    ['Deno.symlink', (path: string) => `Deno.symlink('/etc', '${path}')`],
    ['node:fs', (path: string) => `import('node:fs').then((fs) => fs.symlinkSync('/etc', '${path}'))`],
  ])('cannot be linked to by %s, neither in /tmp nor where the server goes', async (_name, link) => {
    for (const path of ['/tmp/link', '/i/run/s.sock', '/i/run/n.sock']) {
      expect(await used.inside(link(path))).toMatch(/requires unscoped --allow-read and --allow-write/);
    }
  });
});

describe.each(arrangements.filter((arrangement) => arrangement === 'jail'))(
  'files, in a %s',
  (arrangement) => {
    const used = useHostileRuntime(arrangement);

    it('are what a jail shows: libraries, and nothing that tells of the host', async () => {
      const instance = await used.start(empty);
      const list = (path: string) => readdirSync(`/proc/${instance.pid}/root${path}`);
      const known = 'bin dev etc galley i jails lib lib32 lib64 libx32 old proc sbin tmp usr'.split(' ');
      expect(list('/').filter((name) => !known.includes(name))).toEqual([]);
      const settings = ['ca-certificates', 'hosts', 'ld.so.cache', 'pki', 'resolv.conf', 'ssl'];
      expect(list('/etc').filter((name) => !settings.includes(name))).toEqual([]);
      expect(list('/dev').toSorted()).toEqual(['null', 'random', 'urandom', 'zero']);
      expect(list('/proc')).toEqual(['self']);
      expect(list('/proc/self')).toEqual(['exe']);
      for (const path of ['/jails', '/old', '/tmp']) expect(list(path)).toEqual([]);
      instance.kill('removed');
    });

    it('of other jails are not even held in memory by it', async () => {
      const first = await used.start(empty);
      const second = await used.start(empty);
      for (const { pid } of [first, second]) {
        const points = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n');
        const writable = points
          .map((line) => line.split(' '))
          .filter(([, , , , , options]) => options!.startsWith('rw'));
        expect(
          writable.map(([, , , , point]) => point).filter((point) => !point!.startsWith('/dev/')),
        ).toEqual(['/i', '/tmp']);
      }
      first.kill('removed');
      second.kill('removed');
    });

    it('that a process has open from its start on are its own', async () => {
      const instance = await used.start(empty);
      const targets = readdirSync(`/proc/${instance.pid}/fd`).map((fd) =>
        readlinkSync(`/proc/${instance.pid}/fd/${fd}`),
      );
      expect(targets.filter((path) => path.startsWith('/') && !path.startsWith('/i/run/'))).toEqual([]);
      instance.kill('removed');
    });

    it('in /tmp are each instance its own, also of one deployment', async () => {
      const options = { deploymentId: 'shares-nothing' };
      const code = `Deno.serve(async (request) => {
      if (request.method === 'POST') await Deno.writeTextFile('/tmp/note', 'private');
      return new Response(JSON.stringify(await Array.fromAsync(Deno.readDir('/tmp'), ({ name }) => name)));
    });`;
      const [one, other] = [await used.start(code, options), await used.start(code, options)];
      expect((await call(one, '/', { method: 'POST' })).text).toBe('["note"]');
      expect((await call(other)).text).toBe('[]');
      const uidOf = (pid: number) => /Uid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
      if (used.runtime.isolation().separateUser) expect(uidOf(one.pid)).not.toBe(uidOf(other.pid));
      one.kill('removed');
      other.kill('removed');
    });

    it('are not executed: what a function writes is data', async () => {
      const answer = await used.inside(
        `Deno.writeTextFile('/tmp/run', '#!/bin/sh\\n', { mode: 0o755 }).then(() => new Deno.Command('/tmp/run').output())`,
      );
      expect(answer).toMatch(/Requires run access/);
    });

    // What the server connects to, the function may remove and replace.
    it.each([
      ['removes', ``],
      ['replaces by a directory', `await Deno.mkdir(path);`],
      ['replaces by a file', `await Deno.writeTextFile(path, 'x');`],
    ])('a function that %s its socket harms itself alone', async (_what, harm) => {
      let onReplaced: (() => void) | undefined;
      const replaced = new Promise<void>((resolve) => (onReplaced = resolve));
      const instance = await used.start(
        `const path = '/i/run/s.sock';
       const server = Deno.serve(() => { setTimeout(replace); return new Response('done'); });
       async function replace() {
         await server.shutdown();
         await Deno.remove(path).catch(() => {});
         ${harm}
         console.log('replaced');
       }`,
        { onLog: ({ message }) => message === 'replaced' && onReplaced!() },
      );
      expect((await call(instance)).text).toBe('done');
      await replaced;
      await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR', status: 500 });
      instance.kill('removed');
      expect(await instance.exited).toMatchObject({ reason: 'removed' });
      expect(await used.inside(`'the next'`)).toBe('the next');
    });
  },
);
