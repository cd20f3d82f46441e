import type { Project } from '#libs/platform';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { limits } from '../limits.js';
import { fatalError, startupMessage, type StartupMessage } from './startup-message.js';

/** As whom, and where, a connection may log in. */
export interface DatabaseLogin {
  readonly user: string;
  readonly database: string;
}

/** Open connections by login, in this process. */
const open = new Map<string, number>();

/**
 * Leads a connection of a function to its project's PostgreSQL, which asks it for the password; only as `login`, though
 * a client may name another role or database, and no more connections than that role may have: each is a process of
 * PostgreSQL before anything is known of it.
 */
export async function relayToDatabase(socket: Socket, project: Project, login: DatabaseLogin): Promise<void> {
  socket.on('error', () => {});
  const timer = setTimeout(() => socket.destroy(), limits.databaseLoginMs);
  try {
    const first = await firstMessage(socket);
    if (!first) return void socket.destroy();
    const refusal = refusalOf(first.message, login);
    if (refusal) return void socket.end(refusal);
    await lead(socket, first.bytes, project, login);
  } catch {
    socket.destroy();
  } finally {
    clearTimeout(timer);
  }
}

/** @returns all that was read, which begins with a message that does not ask for encryption; null: it went away */
async function firstMessage(socket: Socket): Promise<{ message: StartupMessage; bytes: Buffer } | null> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    for (let read = startupMessage(bytes); read; read = startupMessage(bytes)) {
      if (read.message.kind !== 'encryption') return { message: read.message, bytes };
      bytes = bytes.subarray(read.sizeBytes);
      // The way to us leaves this host as little as that of a pipe.
      socket.write('N');
    }
  }
  return null;
}

function refusalOf(message: StartupMessage, { user, database }: DatabaseLogin): Buffer | null {
  const isCancel = message.kind === 'cancel';
  // To end what runs on a connection takes another one.
  const most = limits.databaseConnections * (isCancel ? 2 : 1);
  if ((open.get(user) ?? 0) >= most)
    return fatalError('53300', `A function may have ${most} connections to its database`);
  if (message.kind !== 'login') return null;
  const { parameters } = message;
  const isOwn = parameters.get('user') === user && parameters.get('database') === database;
  if (isOwn && !parameters.has('replication')) return null;
  return fatalError('28000', 'A function logs in as SUPABASE_DB_URL says, and in no other way');
}

async function lead(socket: Socket, first: Buffer, project: Project, { user }: DatabaseLogin): Promise<void> {
  open.set(user, (open.get(user) ?? 0) + 1);
  const close = () => {
    const left = open.get(user)! - 1;
    if (left > 0) open.set(user, left);
    else open.delete(user);
  };
  try {
    const database = await project.database.bareConnection();
    database.on('error', () => {});
    database.once('close', close);
    if (socket.destroyed) return void database.destroy();
    database.write(first);
    pipeline(socket, database, (error) => error && database.destroy());
    pipeline(database, socket, (error) => error && socket.destroy());
    socket.once('close', () => database.destroySoon());
  } catch {
    close();
    socket.end(fatalError('08006', 'The database cannot be reached just now'));
  }
}
