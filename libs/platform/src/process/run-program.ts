import { OperatorError } from '../errors/app-error.js';

/** Beyond the grace (`GALLEY_SHUTDOWN_GRACE_MS`): past this the stop hangs, and is no longer waited for. */
const hangingStopMs = 5_000;
/** One Ctrl-C may arrive twice: from the terminal, and from npm or `timeout`, which pass on what they are sent. */
const sameSignalMs = 500;

/** A program that runs until it is told to stop. */
export interface RunningProgram {
  /** How long what is under way may go on after that. */
  readonly graceMs: number;
  stop(): Promise<void>;
}

/**
 * Runs a program's `main`: an {@link OperatorError} is printed as one line; SIGINT and SIGTERM stop it in order, a
 * second signal, later than `sameSignalMs`, at once.
 */
export async function runProgram(start: () => Promise<RunningProgram>): Promise<void> {
  let stopRequestedMs: number | undefined;
  let program: RunningProgram | undefined;
  let stopping: Promise<void> | undefined;

  const stop = () => {
    stopping ??= (async () => {
      const timer = setTimeout(() => process.exit(1), (program?.graceMs ?? 0) + hangingStopMs).unref();
      await program?.stop();
      clearTimeout(timer);
      process.exit();
    })().catch(fail);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (stopping && now - stopRequestedMs! > sameSignalMs) process.exit(130);
      stopRequestedMs ??= now;
      // Told to stop while starting: the start is finished first, so that nothing is left half-open.
      if (program) stop();
    });
  }
  try {
    program = await start();
  } catch (error) {
    fail(error);
  }
  if (stopRequestedMs !== undefined) stop();
}

function fail(error: unknown): never {
  if (error instanceof OperatorError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
