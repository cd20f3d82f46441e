import { afterAll, beforeAll, expect } from '@jest/globals';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import type { FunctionInstance, InstanceSpec } from '../../libs/functions/src/runtime/function-runtime.js';
import { call, scratchDataDir, specFor } from './runtime-support.js';

/** The two ways in which a function is kept in: walls of the kernel's, or the permissions of the runtime alone. */
export type Arrangement = 'jail' | 'open cell';

/** Those that this host can offer. */
export const arrangements: readonly Arrangement[] = (await allowsJails())
  ? ['jail', 'open cell']
  : ['open cell'];

async function allowsJails(): Promise<boolean> {
  const dataDir = scratchDataDir();
  const runtime = await DenoRuntime.open({ dataDir: dataDir.path });
  const { network } = runtime.isolation();
  await runtime.close();
  dataDir.remove();
  return network === 'namespace';
}

export interface HostileRuntime {
  readonly runtime: DenoRuntime;
  readonly dataDir: string;
  start(code: string, options?: Partial<InstanceSpec>): Promise<FunctionInstance>;
  /** What `expression` comes to inside a function of its own, or the name and message of the error that it throws. */
  inside(expression: string, options?: Partial<InstanceSpec>): Promise<string>;
}

/** A runtime of one arrangement, for all tests of a block; what it starts ends with it. */
export function useHostileRuntime(
  arrangement: Arrangement,
  options: { privateHosts?: readonly string[]; warmProcesses?: number } = {},
): HostileRuntime {
  const dataDir = scratchDataDir();
  let runtime: DenoRuntime;
  beforeAll(async () => {
    runtime = await DenoRuntime.open({
      dataDir: dataDir.path,
      namespaces: arrangement === 'jail',
      ...options,
    });
  });
  afterAll(async () => {
    await runtime.close();
    dataDir.remove();
  });
  const start = (code: string, more?: Partial<InstanceSpec>) => runtime.start(specFor(code, more));
  return {
    get runtime() {
      return runtime;
    },
    dataDir: dataDir.path,
    start,
    async inside(expression, more) {
      const instance = await start(answering(expression), more);
      try {
        return (await call(instance)).text;
      } finally {
        instance.kill('removed');
      }
    },
  };
}

/** Calls a function that fills its memory without end: it ends, or is told no, and the host is not harmed. */
export async function expectBoundedMemory(instance: FunctionInstance, memoryBytes: number): Promise<void> {
  const usage = instance.startMeter();
  const answer = await call(instance).catch((error: unknown) => error);
  // A refused allocation is an error inside the function, which answers 500; anything else ends the process.
  expect(answer).toMatchObject(
    answer instanceof Error ? { code: expect.stringMatching(/^WORKER_(LIMIT|ERROR)$/) } : { status: 500 },
  );
  instance.kill('removed');
  await instance.exited;
  expect(usage().peakMemoryBytes).toBeLessThan(memoryBytes + 180 * 1024 * 1024);
}

/** A function that answers every call with what `expression` comes to. */
export function answering(expression: string): string {
  return `const attempt = async () => (${expression});
    const uncaught = new Promise((_, reject) => {
      for (const type of ['error', 'unhandledrejection'])
        addEventListener(type, (event) => { event.preventDefault(); reject(event.error ?? event.reason); });
    });
    uncaught.catch(() => {});
    Deno.serve(async () => {
      try {
        const value = await Promise.race([attempt(), uncaught]);
        return new Response(typeof value === 'string' ? value : String(JSON.stringify(value)));
      } catch (error) {
        return new Response('threw ' + error?.name + ': ' + error?.message);
      }
    });`;
}
