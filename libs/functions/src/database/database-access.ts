import { Injectable } from '@nestjs/common';
import { projectResource, type Project } from '#libs/platform';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { FunctionRuntime } from '../function-runtime.provider.js';
import type { ActiveDeployment } from '../invoke/known-deployments.js';
import { databaseName, loginPassword, loginRole } from '../permissions/function-role.js';
import type { InstanceSpec } from '../runtime/function-runtime.js';
import { relayToDatabase, type DatabaseLogin } from './database-relay.js';

const host = '127.0.0.1';
/** Of a jail, where every port is free. */
const usualPort = 5432;

/** Of a host without jails: by login, what listens for it. */
const listeners = projectResource(
  'database listeners',
  () => new Map<string, Promise<Server>>(),
  async (servers) => {
    for (const server of servers.values()) (await server).close();
  },
);

/** The way to PostgreSQL of functions that declare `database_url`. */
@Injectable()
export class DatabaseAccess {
  constructor(private readonly runtime: FunctionRuntime) {}

  /** @returns where its process finds the database, and what takes connections to there */
  async of(
    project: Project,
    deployment: ActiveDeployment,
  ): Promise<{ url: string; database: NonNullable<InstanceSpec['database']> }> {
    const login: DatabaseLogin = {
      user: loginRole(deployment.role),
      database: await databaseName(project),
    };
    const isJailed = this.runtime.isolation().network === 'namespace';
    const port = isJailed ? usualPort : await portFor(project, login);
    const { user, database } = login;
    const credentials = `${user}:${loginPassword(project, user)}`;
    return {
      url: `postgresql://${credentials}@${host}:${port}/${encodeURIComponent(database)}`,
      database: { port, accept: (socket) => void relayToDatabase(socket, project, login) },
    };
  }
}

/** Without jails a process has the network of the host: others that find the port still lack the password. */
async function portFor(project: Project, login: DatabaseLogin): Promise<number> {
  const servers = listeners(project);
  let server = servers.get(login.user);
  if (!server) {
    servers.set(login.user, (server = listen(project, login)));
    server.catch(() => servers.delete(login.user));
  }
  return ((await server).address() as AddressInfo).port;
}

async function listen(project: Project, login: DatabaseLogin): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void relayToDatabase(socket, project, login);
  });
  server.listen(0, host).unref();
  await once(server, 'listening');
  return server;
}
