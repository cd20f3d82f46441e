import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { AppError, inheritedEnvironment } from '#libs/platform';
import { buildSandbox } from './build-sandbox.js';
import { bundleError } from './bundle-error.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { npmRegistry } from './npm-registry.js';

export interface ToolResult {
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Deno's cache of packages and remote modules, shared by all bundles of this host. */
export function denoCacheDirectory(dataDir: string): string {
  return join(dataDir, 'cache', 'deno');
}

/** For the tools that fetch modules. */
export const importArgument = `--allow-import=${limits.importHosts.join(',')}`;

/**
 * Runs one of Deno's tools on a function's sources. Nothing of the function is executed.
 * @param options.onLine is told of downloads, a line each
 * @throws AppError `BUNDLE_ERROR` when it takes too long, prints too much or runs out of memory, `BUILD_KILLED` (503)
 *   when somebody ended it, `insufficient_storage` (507)
 */
export async function runDenoTool(options: {
  args: readonly string[];
  directory: string;
  dataDir: string;
  onLine: (line: string) => void;
}): Promise<ToolResult> {
  const env = await toolEnvironment(options.dataDir);
  const sandbox = await buildSandbox(denoCacheDirectory(options.dataDir));
  await sandbox.handOver(options.directory);
  const [program, args] = sandbox.command(options.args);
  return new Promise((resolve, reject) => {
    // A group of its own, because the bundler has a child that must end with it.
    const child = spawn(program, args, {
      cwd: options.directory,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let stderr = '';
    let unfinishedLine = '';
    let failure: string | null = null;
    const stop = (message: string) => {
      failure ??= message;
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    const timer = setTimeout(
      () => stop(`Bundling took longer than ${limits.stepTimeoutMs} ms.`),
      limits.stepTimeoutMs,
    );
    const count = (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > limits.outputBytes)
        stop(`The bundler's output is larger than ${limits.outputBytes} bytes.`);
      return outputBytes <= limits.outputBytes;
    };
    child.stdout.on('data', (chunk: Buffer) => count(chunk) && output.push(chunk));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (!count(Buffer.from(text))) return;
      stderr += text;
      const lines = (unfinishedLine + text).split('\n');
      unfinishedLine = lines.pop()!;
      for (const line of lines) if (line.startsWith('Download ')) options.onLine(line);
    });
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      const problem = failure === null ? problemOf(signal, stderr) : bundleError([failure]);
      if (problem) reject(problem);
      else resolve({ exitCode, stdout: Buffer.concat(output), stderr });
    });
  });
}

/** What ended the tool that was neither its work nor our limits. */
function problemOf(signal: NodeJS.Signals | null, stderr: string): AppError | null {
  if (/No space left on device|Disk quota exceeded/.test(stderr)) return storageFull();
  if (signal === null) return null;
  // V8 and the allocator end their process themselves when they get no more memory.
  if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT') {
    return new AppError({
      code: 'BUILD_KILLED',
      status: 503,
      message: `The bundler was ended from outside (${signal}). Nothing was deployed; deploy again.`,
    });
  }
  return bundleError([`The bundler ran out of its ${limits.memoryMegabytes} MB of memory (${signal}).`]);
}

/** The server's disk, not the function, is at fault. */
export function storageFull(cause?: unknown): AppError {
  return new AppError({
    code: 'insufficient_storage',
    status: 507,
    message: 'The server has no space left to build the function. Nothing was deployed.',
    cause,
  });
}

async function toolEnvironment(dataDir: string): Promise<Record<string, string>> {
  const registry = await npmRegistry();
  return {
    ...inheritedEnvironment(),
    ...(registry && { NPM_CONFIG_REGISTRY: registry }),
    DENO_DIR: denoCacheDirectory(dataDir),
    DENO_NO_UPDATE_CHECK: '1',
    // A function's package.json would bring node_modules, and with it packages' install scripts.
    DENO_NO_PACKAGE_JSON: '1',
    // Registries behind a company's own certificate authority.
    DENO_TLS_CA_STORE: 'mozilla,system',
    NO_COLOR: '1',
  };
}
