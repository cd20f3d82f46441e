import { describe, expect, it } from '@jest/globals';
import { arrangements, expectBoundedMemory, useHostileRuntime } from '../hostile-support.js';

const memoryBytes = 96 * 1024 * 1024;

// 24, 25 and the plain form of 26 and 29 are in runtime-ends.spec.ts.
describe.each(arrangements)('memory, in the arrangement "%s"', (arrangement) => {
  const isJail = arrangement === 'jail';
  const used = useHostileRuntime(arrangement);

  it.each([
    // 27
    [
      'a larger heap that it gave itself',
      `(await import('node:v8')).setFlagsFromString('--max-old-space-size=8000');
       const all = []; for (;;) all.push(new Array(10_000).fill({}));`,
    ],
    // 28
    ['timers', `for (;;) { for (let n = 0; n < 1e5; n += 1) setTimeout(() => {}, 1e6); await null; }`],
    ['promises', `globalThis.all = []; for (;;) all.push(new Promise(() => {}));`],
    [
      'a string',
      `let text = 'x'; globalThis.all = []; for (;;) { text += text.slice(0, 1e7); all.push(new TextEncoder().encode(text)); }`,
    ],
    // 29
    [
      'threads of node:worker_threads',
      `const { Worker } = await import('node:worker_threads'); globalThis.all = [];
       for (;;) { all.push(new Worker('setInterval(() => {}, 1e3)', { eval: true })); await new Promise((r) => setTimeout(r, 5)); }`,
    ],
    // 20
    ['what it parses', `JSON.parse('['.repeat(1e6) + '[' + '{"a":1},'.repeat(2e7));`],
  ])('that is filled by %s ends the function and harms nobody', async (_what, code) => {
    const instance = await used.start(`Deno.serve(async () => { ${code} });`, {
      limits: { memoryBytes, cpuMs: 8_000 },
    });
    await expectBoundedMemory(instance, memoryBytes);
    expect(await used.inside(`'the next'`)).toBe('the next');
  });

  // 30
  it('and descriptors end for the function alone', async () => {
    const answer = await used.inside(
      isJail
        ? `(async () => {
            const open = [];
            try { for (;;) open.push(await Deno.open('/tmp/f', { create: true, write: true })); }
            catch (error) { return error.name + ' after ' + (open.length < 256 ? 'fewer than 256' : open.length); }
          })()`
        : `(async () => {
            const open = [];
            try { for (;;) open.push(await Deno.open(new URL(import.meta.url))); }
            catch (error) { return error.name + ' after ' + (open.length < 256 ? 'fewer than 256' : open.length); }
          })()`,
    );
    expect(answer).toMatch(/^\w+ after fewer than 256$/);
    expect(await used.inside(`'the next'`)).toBe('the next');
  });

  // 31
  it('of files ends at the size of the jail, or there are none', async () => {
    const answer = await used
      .inside(
        `(async () => {
          let written = 0;
          const file = (n) => Deno.writeFile('/tmp/' + n, new Uint8Array(1e6));
          for (let n = 0; n < 500; n += 1) {
            try { await file(n); written += 1; } catch (error) { return error.message + ' after ' + (written < 101 ? 'less than 101 MB' : written); }
          }
          return 'wrote all';
        })()`,
      )
      .catch((error: Error) => error.message);
    expect(answer).toMatch(
      isJail
        ? /No space left on device.* after less than 101 MB|more memory than its limit/
        : /Requires write access/,
    );
  });

  it('of files ends at their number as well', async () => {
    if (!isJail) return;
    const answer = await used.inside(`(async () => {
      let made = 0;
      try { for (; made < 10_000; made += 1) await Deno.writeTextFile('/tmp/' + made, ''); } catch (error) { return error.message; }
      return made;
    })()`);
    expect(answer).toMatch(/No space left on device/);
  });
});
