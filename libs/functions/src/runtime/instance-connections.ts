import { connect, type Socket } from 'node:net';
import { buildConnector, Pool, type Dispatcher } from 'undici';
import { runtimeLimits as limits } from './runtime-limits.js';

/** The HTTP connections to one process, over its Unix socket. */
export class InstanceConnections {
  #pool = this.#newPool();
  #first: Socket | null = null;

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

  /** Uses a connection that there is already for the next request. */
  use(first: Socket): void {
    this.#first = first;
  }

  request(options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData> {
    return this.#pool.request(options);
  }

  /** The process serves at another socket from now on. */
  moveTo(socket: string): void {
    this.close();
    this.socket = socket;
    this.#pool = this.#newPool();
  }

  close(): void {
    this.#first?.destroy();
    this.#first = null;
    void this.#pool.destroy();
  }

  #newPool(): Pool {
    return new Pool('http://function', {
      connect: (_options, callback) => this.#connect(callback),
      headersTimeout: 0,
      bodyTimeout: limits.answerIdleMs,
      keepAliveTimeout: 600_000,
      keepAliveMaxTimeout: 600_000,
      maxHeaderSize: limits.responseHeaderBytes,
    });
  }

  #connect(callback: buildConnector.Callback): void {
    const first = this.#first;
    this.#first = null;
    // undici does not expect to be called back before its call has returned.
    if (first && !first.destroyed) return queueMicrotask(() => callback(null, first));
    const socket = connect(this.socketPath);
    const onError = (error: Error) => callback(error, null);
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      callback(null, socket);
    });
  }
}
