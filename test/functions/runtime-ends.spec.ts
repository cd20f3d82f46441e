import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import type { FunctionInstance } from '../../libs/functions/src/runtime/function-runtime.js';
import { processStartTime } from '../../libs/functions/src/runtime/process-identity.js';
import { sweepRunDirectory } from '../../libs/functions/src/runtime/run-directory.js';
import { eventually } from '../support/eventually.js';
import { arrangements, expectBoundedMemory, useHostileRuntime } from './hostile-support.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';

const empty = `Deno.serve(() => new Response());`;

describe.each(arrangements)('in a function of the arrangement "%s"', (arrangement) => {
  const isJail = arrangement === 'jail';
  const used = useHostileRuntime(arrangement);

  describe('a process that misbehaves', () => {
    it('in an endless loop is killed, and its caller told why', async () => {
      const instance = await used.runtime.start(specFor(`Deno.serve(() => { for (;;); });`));
      const pending = call(instance);
      setTimeout(() => instance.kill('wall-time'), 100);
      await expect(pending).rejects.toMatchObject({ code: 'WORKER_LIMIT', status: 546 });
      expect(await instance.exited).toMatchObject({ reason: 'wall-time', signal: 'SIGKILL' });
    });

    it('and ignores SIGTERM is killed all the same', async () => {
      const instance = await used.runtime.start(
        specFor(`Deno.addSignalListener('SIGTERM', () => {}); Deno.serve(() => new Response());`),
      );
      instance.kill('idle');
      expect(await instance.exited).toMatchObject({ reason: 'idle', signal: 'SIGKILL' });
      expect(processStartTime(instance.pid)).toBeNull();
    });

    it.each([
      ['its heap', `const all = []; for (;;) all.push(new Array(10_000).fill({}));`],
      ['array buffers', `const all = []; for (;;) all.push(new Uint8Array(4 * 1024 * 1024).fill(1));`],
      [
        'array buffers, slowly',
        `globalThis.all = []; while (true) { all.push(new Uint8Array(1024 * 1024).fill(1)); await new Promise((r) => setTimeout(r, 1)); }`,
      ],
      [
        'WebAssembly memory',
        `const all = []; for (;;) { const m = new WebAssembly.Memory({ initial: 160 }); new Uint8Array(m.buffer).fill(1); all.push(m); }`,
      ],
      [
        'shared memory',
        `const all = []; for (;;) all.push(new Uint8Array(new SharedArrayBuffer(4 * 1024 * 1024)).fill(1));`,
      ],
      [
        'workers',
        `const all = []; for (;;) { all.push(new Worker('data:text/javascript,setInterval(()=>{},1e3)', { type: 'module' })); await new Promise((r) => setTimeout(r, 5)); }`,
      ],
    ])('by filling %s ends, and the host is not harmed', async (_name, code) => {
      const memoryBytes = 96 * 1024 * 1024;
      const instance = await used.start(`Deno.serve(async () => { ${code} });`, {
        limits: { memoryBytes, bootTimeoutMs: 5000 },
      });
      await expectBoundedMemory(instance, memoryBytes);
    });

    it('and exits in the middle of a call fails that call', async () => {
      const instance = await used.runtime.start(specFor(`Deno.serve(() => Deno.exit(3));`));
      await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR', status: 500 });
      expect(await instance.exited).toMatchObject({ code: 3, reason: 'crash' });
      await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR' });
    });

    it('and answers no valid HTTP fails that call', async () => {
      const instance = await used.runtime.start(
        specFor(`import net from 'node:net'; const path = Deno.listen ? undefined : 0;
          Deno.serve(() => new Response('x', { headers: { 'x-large': 'y'.repeat(100_000) } }));`),
      );
      await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_ERROR', status: 500 });
      instance.kill('removed');
    });
  });

  describe('the end of the server', () => {
    it('by kill -9 ends every instance, even one in an endless loop', async () => {
      const [pids, parent] = await startInOtherProcess(used.dataDir, isJail);
      parent.kill('SIGKILL');
      await eventually(() => pids.every((pid) => processStartTime(pid) === null));
    });

    it('leaves run directories that the next start sweeps', async () => {
      const [pids, parent] = await startInOtherProcess(used.dataDir, isJail);
      parent.kill('SIGKILL');
      await eventually(() => pids.every((pid) => processStartTime(pid) === null));
      const mine = runOf(await used.start(empty));
      const before = readdirSync(dirname(mine));
      await sweepRunDirectory(used.dataDir);
      const after = readdirSync(dirname(mine));
      expect(before.length).toBeGreaterThan(after.length);
      expect(after).toContain(basename(mine));
      expect(existsSync(mine)).toBe(true);
    });

    it('lets the sweep kill only processes that are what was recorded', async () => {
      const innocent = spawn('/bin/sleep', ['60']);
      const abandoned = join(
        used.dataDir,
        'run',
        `${process.platform === 'linux' ? namespaceOfRuns(used.dataDir) : '0'}-999999999-1`,
      );
      mkdirSync(abandoned, { recursive: true });
      writeFileSync(join(abandoned, '0.pid'), `${innocent.pid} ${processStartTime(innocent.pid!)}`);
      expect(await sweepRunDirectory(used.dataDir)).toBe(0);
      expect(existsSync(abandoned)).toBe(false);
      expect(processStartTime(innocent.pid!)).not.toBeNull();
      innocent.kill('SIGKILL');
    });

    it('removes the run directory when it closes in order', async () => {
      const ownDirectory = scratchDataDir();
      const own = await DenoRuntime.open({ dataDir: ownDirectory.path, namespaces: isJail });
      const instance = await own.start(specFor(empty));
      const directory = runOf(instance);
      expect(existsSync(directory)).toBe(true);
      await own.close();
      expect(existsSync(directory)).toBe(false);
      expect(await instance.exited).toMatchObject({ reason: 'shutdown' });
      ownDirectory.remove();
    });
  });
});

/** The run directory of the server's process, from the command line of an instance: it follows the loader. */
function runOf(instance: FunctionInstance): string {
  const argv = readFileSync(`/proc/${instance.pid}/cmdline`, 'utf8').split('\0');
  return argv[argv.findIndex((word) => word.endsWith('loader.js')) + 1]!;
}

function namespaceOfRuns(dataDir: string): string {
  return readdirSync(join(dataDir, 'run'))[0]!.split('-')[0]!;
}

/** Two instances, one of them looping, started by a process of their own. */
async function startInOtherProcess(
  dataDir: string,
  namespaces: boolean,
): Promise<[number[], ReturnType<typeof spawn>]> {
  const parent = spawn(process.execPath, ['test/functions/instance-parent.mjs', dataDir, `${namespaces}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  parent.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await eventually(() => output.includes('\n'));
  return [JSON.parse(output) as number[], parent];
}
