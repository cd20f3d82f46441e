import { describe, expect, it } from '@jest/globals';
import { arrangements, useHostileRuntime } from '../hostile-support.js';
import { call } from '../runtime-support.js';

describe.each(arrangements)('a process, in the arrangement "%s"', (arrangement) => {
  const used = useHostileRuntime(arrangement);

  // 19, 20
  it.each([
    ['a loop', `for (;;);`],
    ['a loop of microtasks', `const next = () => queueMicrotask(next); next(); await new Promise(() => {});`],
    ['a regular expression', `/^(a+)+$/.test('a'.repeat(40) + '!');`],
    ['a power of large numbers', `(3n ** 20_000_000n).toString();`],
    [
      'a comparison that never settles',
      `new Array(5e6).fill(0).sort(() => { for (let n = 0; n < 1e5; n += 1); return 1; });`,
    ],
    [
      'WebAssembly',
      `new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 97, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11]))).exports.a();`,
    ],
  ])('that is lost in %s ends at its limit of processor time', async (_what, code) => {
    const instance = await used.start(`Deno.serve(async () => { ${code} return new Response('done'); });`, {
      limits: { memoryBytes: 2 ** 28, cpuMs: 400 },
    });
    // Processor time is that of what is measured, as every invocation is.
    instance.startMeter();
    await expect(call(instance)).rejects.toMatchObject({ code: 'WORKER_LIMIT', status: 546 });
    expect(await instance.exited).toMatchObject({ reason: 'cpu-limit', signal: 'SIGKILL' });
  });

  // 21
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'])(
    'that listens to %s is killed all the same',
    async (signal) => {
      const instance = await used.start(
        `Deno.addSignalListener('${signal}', () => {}); Deno.serve(() => new Response());`,
      );
      instance.kill('idle');
      expect(await instance.exited).toMatchObject({ reason: 'idle', signal: 'SIGKILL' });
    },
  );

  // 22, 23
  it.each([
    ['itself', `Deno.kill(Deno.pid, 'SIGSTOP')`, /^threw PermissionDenied: EPERM/],
    ['the server', `Deno.kill(Deno.ppid, 'SIGKILL')`, /Requires run access/],
    ['the server, by Node.js', `process.kill(process.ppid, 'SIGKILL')`, /Requires run access/],
    ['all of them', `Deno.kill(-1, 'SIGKILL')`, /Requires run access/],
  ])('cannot signal %s', async (_whom, expression, why) => {
    expect(await used.inside(expression)).toMatch(why);
  });

  // 42
  it.each([
    [
      'asks for the permission again',
      `Deno.permissions.request({ name: 'ffi' }).then(({ state }) => state)`,
      /^denied$/,
    ],
    [
      'calls a library',
      `Deno.dlopen('libc.so.6', { getpid: { parameters: [], result: 'i32' } }) && 'LEAK'`,
      /Requires ffi access/,
    ],
    [
      'loads an addon',
      `process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6') ?? 'LEAK'`,
      /Requires ffi access/,
    ],
    [
      'requires an addon',
      `Deno.writeFile('/tmp/a.node', new Uint8Array([127])).catch(() => {}).then(() => import('node:module')).then((m) => m.createRequire('file:///tmp/')('/tmp/a.node'))`,
      /Requires (ffi|read) access|Cannot find module/,
    ],
    [
      'makes a pointer',
      `new Deno.UnsafePointerView(Deno.UnsafePointer.create(4096n)).getInt32()`,
      /Requires ffi access/,
    ],
    [
      'opens the inspector',
      `import('node:inspector').then((inspector) => inspector.open(9229) ?? 'LEAK')`,
      /Requires sys access/,
    ],
    ['runs a program', `new Deno.Command('/bin/true').output()`, /Requires run access/],
    [
      'calls a library in a thread',
      `import('node:worker_threads').then(({ Worker }) => new Promise((yes, no) => {
        const worker = new Worker("require('node:worker_threads').parentPort.postMessage(String(Deno.dlopen('libc.so.6', {})))", { eval: true });
        worker.on('message', (text) => yes('LEAK ' + text)).on('error', no);
      }))`,
      /Requires ffi access/,
    ],
  ])('reaches no code of the host when it %s', async (_what, expression, why) => {
    expect(await used.inside(expression, { limits: { memoryBytes: 2 ** 31 } })).toMatch(why);
  });
});
