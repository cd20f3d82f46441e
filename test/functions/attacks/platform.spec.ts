import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../../support/eventually.js';
import { processStartTime } from '../../../libs/functions/src/runtime/process-identity.js';
import { arrangements, useHostileRuntime } from '../hostile-support.js';
import { call } from '../runtime-support.js';

const empty = `Deno.serve(() => new Response('here'));`;

describe.each(arrangements)('the platform, in the arrangement "%s"', (arrangement) => {
  const used = useHostileRuntime(arrangement);

  // 38, 47
  it('never gives the process of one deployment to another', async () => {
    const first = await used.start(`globalThis.secret = 'of the first'; ${empty}`);
    const second = await used.start(`Deno.serve(() => new Response(String(globalThis.secret)));`);
    expect((await call(second)).text).toBe('undefined');
    expect(second.pid).not.toBe(first.pid);
    first.kill('removed');
    second.kill('removed');
  });

  // 46
  it('gives each instance a process, so that shared memory and fine clocks show no neighbour', async () => {
    const pids = new Set<number>();
    const instances = await Promise.all([1, 2, 3].map(() => used.start(empty, { deploymentId: 'of-three' })));
    for (const instance of instances) {
      pids.add(instance.pid);
      instance.kill('removed');
    }
    expect(pids.size).toBe(3);
  });

  it('ends threads with their process', async () => {
    const instance = await used.start(
      `import { Worker } from 'node:worker_threads';
       Deno.serve(() => new Promise((resolve) => {
         new Worker("require('node:worker_threads').parentPort.postMessage(1); for (;;);", { eval: true })
           .on('message', () => resolve(new Response('runs')));
       }));`,
      { limits: { memoryBytes: 2 ** 31 } },
    );
    expect((await call(instance)).text).toBe('runs');
    instance.kill('removed');
    await instance.exited;
    expect(processStartTime(instance.pid)).toBeNull();
  });
});

describe.each(arrangements.filter((arrangement) => arrangement === 'jail'))(
  'the maker of a %s',
  (arrangement) => {
    const used = useHostileRuntime(arrangement);

    const jailers = () =>
      readdirSync('/proc').filter((pid) => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
          return command.includes('jailer.program') && command.includes(used.dataDir);
        } catch {
          return false;
        }
      });

    it('may die: functions go on, and the next one gets a jail from another', async () => {
      const instance = await used.start(`Deno.serve(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return new Response('goes on');
    });`);
      const [jailer] = jailers();
      process.kill(Number(jailer), 'SIGKILL');
      await eventually(() => !existsSync(`/proc/${jailer}`));
      // More at once than there are connections, so that new ones are made.
      const answers = await Promise.all([call(instance), call(instance), call(instance)]);
      expect(answers.map(({ text }) => text)).toEqual(['goes on', 'goes on', 'goes on']);
      expect(await used.inside(`'the next'`)).toBe('the next');
      instance.kill('removed');
      expect(await instance.exited).toMatchObject({ reason: 'removed' });
    });

    it('leaves nothing of jails behind but the one that waits for the next process', async () => {
      const before = readFileSync('/proc/self/mountinfo', 'utf8');
      for (let i = 0; i < 3; i++) {
        const instance = await used.start(empty);
        instance.kill('removed');
        await instance.exited;
      }
      const [jailer] = jailers();
      const jails = () =>
        readFileSync(`/proc/${jailer}/mountinfo`, 'utf8')
          .split('\n')
          .filter((line) => / \/jails\/\w+ /.test(line));
      await eventually(() => jails().length === 1);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
    });
  },
);
