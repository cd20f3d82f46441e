import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createServer, connect, type Socket } from 'node:net';
import { eventually } from './eventually.js';
import { freePort } from './server.js';

/** A Redis of one test's own that keeps nothing on disk, behind a network that can be cut. */
export interface OwnRedis {
  readonly url: string;
  /** kill -9: all that it held is gone. */
  kill(): boolean;
  /** Starts again what was killed, and mends the network. */
  revive(): Promise<void>;
  /** Breaks all connections, and lets none be made. */
  cut(): void;
  stop(): Promise<void>;
}

/** Whether Redis is installed here. */
export const redisIsInstalled = spawnSync('redis-server', ['--version']).status === 0;

export async function startOwnRedis(): Promise<OwnRedis> {
  const [port, ownPort] = [await freePort(), await freePort()];
  let redis = await startRedis(ownPort);
  let isCut = false;
  const sockets = new Set<Socket>();
  const network = createServer((socket) => {
    if (isCut) return socket.destroy();
    const peer = connect(ownPort, '127.0.0.1');
    for (const [from, to] of [
      [socket, peer],
      [peer, socket],
    ] as const) {
      sockets.add(from);
      from
        .on('error', () => {})
        .once('close', () => {
          sockets.delete(from);
          to.destroy();
        });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => network.listen(port, '127.0.0.1', resolve));
  const breakAll = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `redis://127.0.0.1:${port}`,
    kill: () => redis.kill('SIGKILL'),
    cut() {
      isCut = true;
      breakAll();
    },
    async revive() {
      isCut = false;
      if (redis.killed) redis = await startRedis(ownPort);
    },
    async stop() {
      redis.kill('SIGKILL');
      breakAll();
      await new Promise((resolve) => network.close(resolve));
    },
  };
}

async function startRedis(port: number): Promise<ChildProcess> {
  const options = ['--port', String(port), '--save', '', '--appendonly', 'no'];
  const start = () => spawn('redis-server', options, { stdio: 'ignore' });
  let redis = start();
  await eventually(
    async () => {
      // Its port may still be taken by the one before.
      if (redis.exitCode !== null) redis = start();
      return new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => resolve(true));
        socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
      });
    },
    { what: 'Redis taking connections' },
  );
  return redis;
}
