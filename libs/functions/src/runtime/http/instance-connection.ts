import type { Socket } from 'node:net';
import type { Cancellation } from '../../cancellation.js';
import type { InvocationResponse } from '../function-runtime.js';
import { Exchange } from './exchange.js';
import type { RequestLine } from './request-head.js';
import { sendRequest } from './send-request.js';

export interface InstanceRequest extends RequestLine {
  /** Breaks the connection, by which the function is told that nobody waits for its answer. */
  readonly cancellation: Cancellation | null;
}

/** We do not use a connection any more this long before the process said that it will close it. */
const idleMarginMs = 1_000;

/** An HTTP/1.1 connection to a process, for one request at a time. */
export class InstanceConnection {
  #exchange: Exchange | null = null;
  /** Of the monotonic clock. */
  #usableUntilMs = Infinity;

  /**
   * @param listener.onIdle called when it can carry the next request
   * @param listener.onClose called when it never will again
   */
  constructor(
    private readonly socket: Socket,
    private readonly listener: {
      onIdle(connection: InstanceConnection): void;
      onClose(connection: InstanceConnection): void;
    },
  ) {
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.once('end', () => this.#end());
    socket.on('error', (error) => this.#fail(error));
    socket.once('close', () => {
      this.#fail(new Error('The connection was closed'));
      listener.onClose(this);
    });
  }

  get isUsable(): boolean {
    return this.socket.writable && !this.socket.readableEnded && performance.now() < this.#usableUntilMs;
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** The body of the response must be read to its end or destroyed, if it is a stream. Rejects when the connection breaks. */
  request(request: InstanceRequest): Promise<InvocationResponse> {
    const exchange = new Exchange(request.method, this.socket, request.traffic);
    const isUnderWay = () => this.#exchange === exchange;
    this.#exchange = exchange;
    request.cancellation?.onCancel((reason) => isUnderWay() && this.#fail(reason));
    if (!isUnderWay()) return exchange.response;
    try {
      sendRequest(this.socket, request, (error) => {
        exchange.isSent = true;
        if (error && isUnderWay()) this.#fail(error);
      });
    } catch (error) {
      this.#fail(error);
    }
    return exchange.response;
  }

  #receive(bytes: Buffer): void {
    const exchange = this.#exchange;
    // What nobody asked for must not be taken for the next answer.
    if (!exchange) return this.destroy();
    try {
      exchange.receive(bytes);
    } catch (error) {
      return this.#fail(error);
    }
    if (exchange.isComplete) this.#settle(exchange);
  }

  #settle(exchange: Exchange): void {
    this.#exchange = null;
    if (!exchange.keepsAlive) return this.destroy();
    const { idleSeconds } = exchange.head!;
    if (idleSeconds !== null) this.#usableUntilMs = performance.now() + idleSeconds * 1000 - idleMarginMs;
    this.socket.resume();
    this.listener.onIdle(this);
  }

  #end(): void {
    try {
      this.#exchange?.end();
      this.#exchange = null;
    } catch (error) {
      this.#fail(error);
    }
    this.destroy();
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.fail(error);
    this.destroy();
  }
}
