import type { Socket } from 'node:net';

/** The bytes of bodies that one invocation took in and gave out, counted on our side of its connection. */
export class Traffic {
  #in = 0;
  #out = 0;
  /** A connection that became a WebSocket, and what had passed by it before. */
  #socket: Socket | undefined;
  #before = { written: 0, read: 0 };

  get bytesIn(): number {
    return this.#in + (this.#socket ? this.#socket.bytesWritten - this.#before.written : 0);
  }

  get bytesOut(): number {
    return this.#out + (this.#socket ? this.#socket.bytesRead - this.#before.read : 0);
  }

  addIn(bytes: number): void {
    this.#in += bytes;
  }

  addOut(bytes: number): void {
    this.#out += bytes;
  }

  /**
   * Counts all that passes by a WebSocket from now on.
   * @param ahead what was read of the WebSocket already
   */
  follow(socket: Socket, ahead: Buffer): void {
    this.#socket = socket;
    this.#before = { written: socket.bytesWritten, read: socket.bytesRead - ahead.length };
  }
}
