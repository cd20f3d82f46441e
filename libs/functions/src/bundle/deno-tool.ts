import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { inheritedEnvironment } from '#libs/platform';
import { denoBinary } from '../runtime/deno-binary.js';
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

/**
 * Runs one of Deno's tools on a function's sources. Nothing of the function is executed.
 * @param options.onLine is told each line of standard error, where Deno reports downloads
 * @throws AppError `BUNDLE_ERROR` when it takes too long or prints too much
 */
export async function runDenoTool(options: {
  args: readonly string[];
  directory: string;
  dataDir: string;
  onLine: (line: string) => void;
}): Promise<ToolResult> {
  const env = await toolEnvironment(options.dataDir);
  return new Promise((resolve, reject) => {
    // A group of its own, because the bundler has a child that must end with it.
    const child = spawn(denoBinary(), options.args, {
      cwd: options.directory,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let stderr = '';
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
      if (count(Buffer.from(text))) stderr += text;
      for (const line of text.split('\n')) if (line.startsWith('Download ')) options.onLine(line);
    });
    child.on('error', reject);
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      if (failure !== null) reject(bundleError([failure]));
      else resolve({ exitCode, stdout: Buffer.concat(output), stderr });
    });
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
