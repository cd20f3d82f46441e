import { afterEach, beforeEach } from '@jest/globals';
import { Cancellation } from '../../libs/functions/src/cancellation.js';
import { InstancePool, type PoolOptions } from '../../libs/functions/src/instances/instance-pool.js';
import type { FunctionInstance } from '../../libs/functions/src/runtime/function-runtime.js';
import { specFor, useRuntime } from './runtime-support.js';

const options: PoolOptions = {
  maxInstances: 2,
  concurrencyPerInstance: 1,
  idleMs: 60_000,
  oneUse: false,
  queueLimit: 100,
  waitTimeoutMs: 10_000,
  wallTimeMs: 10_000,
};

/** A pool of two processes for each test of the file, whose functions all run `code`. */
export function usePool(code: string) {
  const used = useRuntime();
  let pool: InstancePool;
  beforeEach(() => {
    pool = new InstancePool(used.runtime, 2);
  });
  afterEach(() => pool.close());
  return {
    get pool() {
      return pool;
    },
    options,
    /** Runs `work` on an instance of the function `key`. */
    on<T>(
      key: string,
      work: (instance: FunctionInstance, start: 'cold' | 'warm', ended: Cancellation) => Promise<T>,
      changed: Partial<PoolOptions> = {},
      signal: AbortSignal = new AbortController().signal,
    ): Promise<T> {
      const makeSpec = () => specFor(code, { deploymentId: key });
      return pool.withInstance(key, makeSpec, { ...options, ...changed }, Cancellation.of(signal), work);
    },
  };
}
