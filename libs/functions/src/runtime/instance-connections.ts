import { connect, type Socket } from 'node:net';
import type { InvocationResponse } from './function-runtime.js';
import { isNotReached, NotReached } from './invocation.js';
import { InstanceConnection, type InstanceRequest } from './http/instance-connection.js';

/** The HTTP connections to one process, over its Unix socket: as many as there are requests at once. */
export class InstanceConnections {
  readonly #open = new Set<InstanceConnection>();
  /** The one that was used last is at the end, and used next. */
  #idle: InstanceConnection[] = [];

  /**
   * @param socket path of the socket as the process sees it
   * @param outside the same as the server sees it now: that changes when the maker of the jail is gone
   */
  constructor(
    private socket: string,
    private readonly outside: (path: string) => string,
  ) {}

  get socketPath(): string {
    return this.outside(this.socket);
  }

  /** Uses a connection that there is already. */
  use(socket: Socket): void {
    this.#idle.push(this.#opened(socket));
  }

  /** Rejects with {@link NotReached}, the connection's error when it breaks, and the reason when it is cancelled. */
  async request(request: InstanceRequest): Promise<InvocationResponse> {
    request.cancellation?.throwIfCancelled();
    const connection = this.#takeIdle() ?? this.#opened(await this.#connect());
    return connection.request(request);
  }

  /** The process serves at another socket from now on. */
  moveTo(socket: string): void {
    this.close();
    this.socket = socket;
  }

  close(): void {
    for (const connection of this.#open) connection.destroy();
    this.#idle = [];
  }

  #takeIdle(): InstanceConnection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (!connection) return null;
      if (connection.isUsable) return connection;
      connection.destroy();
    }
  }

  #opened(socket: Socket): InstanceConnection {
    const connection = new InstanceConnection(socket, {
      onIdle: (idle) => this.#idle.push(idle),
      onClose: (closed) => this.#open.delete(closed),
    });
    this.#open.add(connection);
    return connection;
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.socketPath);
      const onError = (error: Error) => reject(isNotReached(error) ? new NotReached(error) : error);
      socket.once('error', onError);
      socket.once('connect', () => {
        socket.off('error', onError);
        resolve(socket);
      });
    });
  }
}
