import { describe, expect, it } from '@jest/globals';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Caller } from '../caller.js';
import { isConnectionError } from './database-error.js';
import { ProjectDatabase } from './project-database.js';

const anon: Caller = { kind: 'anon', isKey: true, role: 'anon', userId: null, claims: {}, depth: 0 };

describe('A PostgreSQL that takes connections and says nothing', () => {
  it('is an error of the connection in time, for each statement anew', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const connection = { host: '127.0.0.1', port, user: 'x', password: 'x', database: 'x' };
    const callers = { ...connection, max: 1 };
    const database = new ProjectDatabase({ callers, system: connection, waitMs: 100 });
    try {
      for (let asked = 1; asked <= 2; asked++) {
        const error: unknown = await database.queryAsCaller(anon, {}, 'select 1').catch((thrown) => thrown);
        expect([isConnectionError(error), sockets.length]).toEqual([true, asked]);
      }
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
      await database.close();
    }
  });
});
