import { watch } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';

/**
 * While the socket exists but is not listened on yet, which takes well under a millisecond, it is tried at once again;
 * after so many tries, since the process may have to wait for a processor between the two, each millisecond.
 */
const triesAtOnce = 20;
const retryMs = 1;
/** Without a sign from the directory, which some file systems do not give. */
const fallbackMs = 50;

/**
 * Resolves with a connection as soon as something listens on the Unix socket at `path`. The directory is watched,
 * so nothing is polled while the process starts. What is trusted is the connection itself: nothing that the process
 * writes can forge it.
 */
export function firstConnection(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let trying = false;
    let refusals = 0;
    const watcher = watch(dirname(path), () => attempt());
    // A broken watcher only means that the timer below does all the work.
    watcher.on('error', () => watcher.close());
    const finish = (socket: Socket | null) => {
      watcher.close();
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      if (socket) resolve(socket);
      else reject(signal.reason as Error);
    };
    const onAbort = () => finish(null);
    const attempt = () => {
      if (trying || signal.aborted) return;
      trying = true;
      clearTimeout(timer);
      const socket = connect(path);
      socket.once('connect', () => {
        // The process may die before this connection is used; whoever uses it then finds it destroyed.
        socket.removeAllListeners('error').on('error', () => {});
        if (signal.aborted) socket.destroy();
        else finish(socket);
      });
      socket.once('error', (error: NodeJS.ErrnoException) => {
        trying = false;
        if (signal.aborted) return;
        if (error.code === 'ENOENT') timer = setTimeout(attempt, fallbackMs);
        else if (refusals++ < triesAtOnce) setImmediate(attempt);
        else timer = setTimeout(attempt, retryMs);
      });
    };
    signal.addEventListener('abort', onAbort);
    timer = setTimeout(attempt, fallbackMs);
  });
}
