import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll } from '@jest/globals';
import { newId } from '#libs/platform';
import { Cancellation } from '../../libs/functions/src/cancellation.js';
import { DenoRuntime } from '../../libs/functions/src/runtime/deno-runtime.js';
import type {
  FunctionInstance,
  InstanceSpec,
  LogLine,
} from '../../libs/functions/src/runtime/function-runtime.js';
import { runtimeBases } from '../../libs/functions/src/runtime/run-directory.js';

/** A data directory of its own, short enough for sockets and open to the users that functions run as. */
export function scratchDataDir(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'gt-'));
  chmodSync(path, 0o711);
  const remove = () => {
    for (const base of runtimeBases(path)) {
      // Directories of deployments are made so that nothing can be removed from them either.
      spawnSync('chmod', ['-R', 'u+w', base]);
      rmSync(base, { recursive: true, force: true });
    }
  };
  return { path, remove };
}

/** A runtime with a data directory of its own, for all tests of the file. */
export function useRuntime(): { readonly runtime: DenoRuntime; readonly dataDir: string } {
  const dataDir = scratchDataDir();
  let runtime: DenoRuntime;
  beforeAll(async () => {
    runtime = await DenoRuntime.open({ dataDir: dataDir.path });
  });
  afterAll(async () => {
    await runtime.close();
    dataDir.remove();
  });
  return {
    get runtime() {
      return runtime;
    },
    dataDir: dataDir.path,
  };
}

/** A spec for `code`, with a deployment id of its own; what the function logs is gathered in `logs`. */
export function specFor(
  code: string,
  options: Partial<InstanceSpec> = {},
): InstanceSpec & { logs: LogLine[] } {
  const logs: LogLine[] = [];
  return {
    deploymentId: newId(),
    functionSlug: 'under-test',
    files: async () => new Map([['main.js', Buffer.from(code)]]),
    env: {},
    allowedHosts: [],
    api: { host: '127.0.0.1', port: 9 },
    limits: { memoryBytes: 128 * 1024 * 1024, bootTimeoutMs: 5_000 },
    onLog: (line) => logs.push(line),
    translateStack: (stack) => stack,
    ...options,
    logs,
  };
}

interface Answer {
  status: number;
  headers: Record<string, string | string[]>;
  text: string;
}

/** One call, with its body read to the end. */
export async function call(
  instance: FunctionInstance,
  path = '/',
  options: {
    method?: string;
    body?: string | Readable;
    headers?: Record<string, string>;
    cancellation?: Cancellation;
    invocationId?: string;
  } = {},
): Promise<Answer> {
  const response = await instance.invoke({
    invocationId: options.invocationId ?? newId(),
    method: options.method ?? 'GET',
    path,
    headers: { host: 'api.test', ...options.headers },
    body: options.body ?? null,
    cancellation: options.cancellation ?? null,
  });
  return {
    status: response.status,
    headers: response.headers,
    text: (await wholeOf(response.body)).toString(),
  };
}

async function wholeOf(body: Buffer | Readable): Promise<Buffer> {
  if (Buffer.isBuffer(body)) return body;
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
