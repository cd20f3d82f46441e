import { AppError } from '#libs/platform';
import type { FunctionInstance, InstanceExit, LogLine } from '../runtime/function-runtime.js';

/** Tells in the function's log of an instance's start and end, and of why it ended or did not start. */
export function lifeOf(starting: Promise<FunctionInstance>, say: (line: LogLine) => void): void {
  const tell = (level: LogLine['level'], message: string) =>
    say({ level, message, at: new Date(), invocationId: null });
  starting.then(
    (instance) => {
      tell('info', `booted (time: ${Math.round(instance.bootMs)}ms)`);
      void instance.exited.then((exit) => tell(...endOf(exit)));
    },
    (error: unknown) => {
      // A server that stops starts nothing: that is not the function's affair.
      if (!(error instanceof AppError) || error.code === 'BOOT_ERROR')
        tell('error', error instanceof AppError ? error.message : 'The function did not start.');
    },
  );
}

function endOf({ reason, code, signal }: InstanceExit): [LogLine['level'], string] {
  const how = signal ?? `code ${code}`;
  switch (reason) {
    case 'wall-time':
      return ['error', 'shutdown: it ran longer than its time limit'];
    case 'cpu-limit':
      return ['error', 'shutdown: it used more processor time than its limit'];
    case 'memory-limit':
      return ['error', 'shutdown: it used more memory than its limit'];
    case 'spinning':
      return ['warn', 'shutdown: it was busy with work that nobody asked for'];
    case 'crash':
      return ['error', `shutdown: its process ended (${how})`];
    case 'exit':
      return ['info', `shutdown: its process ended (${how})`];
    case 'cancelled':
      return ['info', 'shutdown: what it ran was cancelled'];
    case 'idle':
    case 'evicted':
    case 'boot-timeout':
    case 'removed':
    case 'shutdown':
      return ['debug', `shutdown (${reason})`];
  }
}
