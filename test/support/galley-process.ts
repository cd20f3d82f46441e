import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '#libs/platform';
import { eventually } from './eventually.js';
import { freePort } from './server.js';

/** A program of Galley's as a process of its own, as an operator runs it: from the build. */
export interface GalleyProcess {
  readonly url: string;
  readonly pid: number;
  /** What it wrote to standard output and error so far. */
  output(): string;
  /** Sends `signal` and waits for the end; returns the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Resolves with the exit code when it ends by itself. */
  readonly ended: Promise<number | null>;
}

export type Program = 'cli' | 'server' | 'worker';

/** Long: a machine may be busy, and a start after a crash has things to mend. */
const healthyWithinMs = 120_000;

/** Starts a program and waits until `/health` answers. */
export async function startProcess(options: {
  program: Program;
  args?: readonly string[];
  environment: Record<string, string>;
  port?: number;
}): Promise<GalleyProcess> {
  const port = options.port ?? (await freePort());
  const running = spawnProgram({ ...options, port });
  const healthy = () =>
    fetch(`${running.url}/health`).then(
      (response) => response.ok,
      () => false,
    );
  await Promise.race([
    eventually(healthy, { within: healthyWithinMs, what: `${options.program} being healthy` }).catch(
      (error: Error) => {
        throw new Error(`${error.message}:\n${running.output()}`);
      },
    ),
    running.ended.then((code) => {
      throw new Error(`${options.program} ended with status ${code}:\n${running.output()}`);
    }),
  ]);
  return running;
}

/** Starts a program without waiting for anything. */
export function spawnProgram(options: {
  program: Program;
  args?: readonly string[];
  environment: Record<string, string>;
  port: number;
}): GalleyProcess {
  const main = join(repositoryRoot, 'dist', 'apps', options.program, 'src', 'main.js');
  const { PATH, HOME, npm_config_registry: registry } = process.env;
  const child = spawn(process.execPath, ['--enable-source-maps', main, ...(options.args ?? [])], {
    env: {
      PATH,
      HOME,
      ...(registry && { npm_config_registry: registry }),
      LOG_LEVEL: 'info',
      PORT: String(options.port),
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const collect = (chunk: Buffer) => void (output += chunk.toString());
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const ended = exitOf(child);
  return {
    url: `http://127.0.0.1:${options.port}`,
    pid: child.pid!,
    output: () => output,
    ended,
    end(signal) {
      // Ctrl-C in a terminal reaches the whole process group.
      if (signal === 'SIGINT' && child.exitCode === null) process.kill(-child.pid!, signal);
      else child.kill(signal);
      return ended;
    },
  };
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}
