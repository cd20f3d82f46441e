import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { InvocationResponse } from '../function-runtime.js';
import { runtimeLimits as limits } from '../runtime-limits.js';
import type { Traffic } from '../traffic.js';
import { ResponseParser, type ResponseHead } from './response-parser.js';

/**
 * The answer to a request that is under way on a connection. One that comes whole at once, as small ones do, is given
 * with a buffer as its body: a stream would take most of the time of a small call.
 */
export class Exchange {
  readonly response: Promise<InvocationResponse>;
  /** Whether all of the answer has come. */
  isComplete = false;
  /** Whether all of the request was written. */
  isSent = false;
  head: ResponseHead | null = null;
  readonly #parser: ResponseParser;
  #resolve!: (response: InvocationResponse) => void;
  #reject!: (error: unknown) => void;
  #isGiven = false;
  /** What has come of the body before it was given. */
  #parts: Buffer[] = [];
  #stream: Readable | null = null;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(
    method: string,
    private readonly socket: Socket,
    private readonly traffic?: Traffic,
  ) {
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#parser = new ResponseParser(method === 'HEAD', limits.responseHeaderBytes, {
      onHead: (head) => (this.head = head),
      onData: (part) => this.#takePart(part),
      onEnd: () => {
        this.isComplete = true;
        clearTimeout(this.#idleTimer);
      },
    });
  }

  /** @throws Error when that is not an answer */
  receive(bytes: Buffer): void {
    this.#parser.feed(bytes);
    this.#give();
  }

  /** Whether the connection may carry another request after this one. */
  get keepsAlive(): boolean {
    // What is left of the request would be taken for the next one, and what came too much for its answer.
    return this.head !== null && this.head.keepsAlive && this.isSent && !this.#parser.hasSurplus;
  }

  /** No more will come. @throws Error when something is missing */
  end(): void {
    this.#parser.finish();
    this.#give();
  }

  fail(error: unknown): void {
    clearTimeout(this.#idleTimer);
    if (this.#isGiven) this.#stream?.destroy(error as Error);
    else this.#reject(error);
  }

  #takePart(part: Buffer): void {
    this.traffic?.addOut(part.length);
    if (!this.#stream) this.#parts.push(part);
    else if (!this.#stream.push(part)) this.socket.pause();
    this.#idleTimer?.refresh();
  }

  #give(): void {
    if (!this.head) return;
    if (!this.#isGiven) {
      this.#isGiven = true;
      const { status, headers } = this.head;
      const body = this.isComplete ? wholeOf(this.#parts) : this.#openStream();
      this.#resolve({ status, headers, body });
    }
    if (this.isComplete) this.#stream?.push(null);
  }

  #openStream(): Readable {
    const stream = new Readable({
      read: () => this.socket.resume(),
      destroy: (error, done) => {
        clearTimeout(this.#idleTimer);
        if (!this.isComplete) this.socket.destroy();
        done(error);
      },
    });
    // It may break before whoever asked has been given it; its reader finds it broken then.
    stream.on('error', () => {});
    this.#idleTimer = setTimeout(() => this.#standsStill(), limits.answerIdleMs);
    for (const part of this.#parts) if (!stream.push(part)) this.socket.pause();
    this.#stream = stream;
    return stream;
  }

  #standsStill(): void {
    if (this.socket.isPaused()) this.#idleTimer!.refresh();
    else this.fail(new Error(`Nothing came of the answer for ${limits.answerIdleMs} ms`));
  }
}

function wholeOf(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
