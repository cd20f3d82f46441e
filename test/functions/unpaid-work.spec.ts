import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InstancePool } from '../../libs/functions/src/instances/instance-pool.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer([], { GALLEY_INSTANCE_IDLE_MS: '600', GALLEY_MAX_INSTANCES: '12' });
});
afterAll(() => server.close());

const prelude = `
  const burn = (ms: number) => { const end = performance.now() + ms; while (performance.now() < end); };
  const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));
  /** Works for so long, with a breath now and then: the main thread is never found busy for long. */
  const work = async (ms: number) => { for (let i = 0; i < ms / 7; i++) { burn(7); await pause(3); } };
  const tell = (mark: string) => Deno.stdout.writeSync(new TextEncoder().encode('\\x1e' + mark + '\\x1f'));
  const answer = () => new Response('answered');
`;

/** Functions that work where they hope that nobody pays. */
const hostile: Record<string, string> = {
  'announces-late': `Deno.serve(() => { setTimeout(() => EdgeRuntime.waitUntil(work(4000)), 200); return answer(); });`,
  'forges-the-beginning': `Deno.serve(() => { setTimeout(() => { tell('+'); work(4000); }, 200); return answer(); });`,
  'forges-the-end': `Deno.serve(() => { EdgeRuntime.waitUntil(work(4000)); setTimeout(() => tell('-'), 50); return answer(); });`,
  'announces-without-end': `Deno.serve(() => { tell('+'); setTimeout(() => { tell('-'); work(4000); }, 50); return answer(); });`,
  'uses-threads': `Deno.serve(async () => {
    const key = await crypto.subtle.importKey('raw', new Uint8Array(16), 'PBKDF2', false, ['deriveBits']);
    for (let i = 0; i < 4; i++) crypto.subtle.deriveBits(
      { name: 'PBKDF2', hash: 'SHA-512', salt: new Uint8Array(16), iterations: 3_000_000 }, key, 512);
    return answer(); });`,
  'works-in-timers': `Deno.serve(() => { setInterval(() => burn(7), 10); return answer(); });`,
  // Its last moments are known by what the kernel keeps of ended children.
  'ends-itself': `Deno.serve(() => { burn(80); Deno.exit(0); });`,
  'works-before-it-serves': `burn(300); Deno.serve(answer);`,
};

/** Processor time of this process's children by their ids, as far as it was seen. */
class Watch {
  readonly #seenMs = new Map<string, number>();
  readonly #timer = setInterval(() => this.look(), 5);

  /** @returns those that live now */
  look(): Set<string> {
    const living = new Set<string>();
    for (const id of readdirSync('/proc')) {
      if (!/^\d+$/.test(id)) continue;
      try {
        const stat = readFileSync(`/proc/${id}/stat`, 'latin1');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (!stat.includes('(deno)') || Number(fields[1]) !== process.pid) continue;
        living.add(id);
        this.#seenMs.set(id, (Number(fields[11]) + Number(fields[12])) * 10);
      } catch {
        // It ended meanwhile.
      }
    }
    return living;
  }

  /** Of those that have ended: the others are held ready for functions to come. */
  stop(): number {
    clearInterval(this.#timer);
    const living = this.look();
    return [...this.#seenMs].reduce((sum, [id, ms]) => sum + (living.has(id) ? 0 : ms), 0);
  }
}

interface FunctionUsage {
  function: string;
  cpu_ms: number;
  boot_cpu_ms: number;
  idle_cpu_ms: number;
}

const usage = async () => {
  const { body } = await server.manage('GET', '/usage');
  return (body as unknown as { functions: FunctionUsage[] }).functions;
};

describe('what functions use that hope that nobody pays', () => {
  it('is all on their account, and ends soon', async () => {
    for (const [slug, source] of Object.entries(hostile)) {
      await server.deploy(slug, prelude + source, { check: false, timeout_ms: 5_000 });
    }
    const watch = new Watch();
    for (const slug of Object.keys(hostile)) {
      await server.call(slug).then((response) => response.text());
    }
    for (let i = 0; i < 4; i += 1) await server.call('ends-itself').then((response) => response.text());
    const pool = server.get(InstancePool);
    await eventually(() => pool.statistics().instances === 0, { within: 30_000 });
    // A record is written once its process is gone.
    await eventually(async () => (await usage()).every((each) => each.cpu_ms > 0));
    const seenMs = watch.stop();
    const functions = await usage();
    const chargedMs = functions.reduce(
      (sum, each) => sum + each.cpu_ms + each.boot_cpu_ms + each.idle_cpu_ms,
      0,
    );
    expect(chargedMs).toBeGreaterThan(seenMs * 0.95);
    expect(chargedMs).toBeLessThan(seenMs * 1.1 + 300);

    const of = (slug: string) => functions.find((each) => each.function === slug)!;
    for (const slug of ['announces-late', 'forges-the-beginning', 'forges-the-end', 'works-in-timers']) {
      // The allowance, and what two processors do until the next look.
      expect([slug, of(slug).idle_cpu_ms < 1_500]).toEqual([slug, true]);
    }
    expect(of('uses-threads').idle_cpu_ms + of('uses-threads').cpu_ms).toBeGreaterThan(100);
    // Other processes take their share of the processors, and they work by the clock.
    expect(of('ends-itself').cpu_ms).toBeGreaterThan(60);
    expect(of('works-before-it-serves').boot_cpu_ms).toBeGreaterThan(60);
  });
});
