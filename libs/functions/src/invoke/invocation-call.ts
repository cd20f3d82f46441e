import type { Readable } from 'node:stream';
import type { Cancellation } from '../cancellation.js';

/** One call of a function. */
export interface InvocationCall {
  readonly invocationId: string;
  readonly slug: string;
  readonly request: {
    readonly method: string;
    /** Path and query as the function sees them: `/<slug>…`. */
    readonly path: string;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly body: Readable | Buffer | null;
    /**
     * Whoever waits for the answer has gone. Ends the waiting for an instance and aborts `request.signal` in the
     * function; an event run that has begun is stopped by killing its instance.
     */
    readonly cancellation: Cancellation;
    /** The client asks for a WebSocket. */
    readonly isUpgrade?: boolean;
  };
  readonly trigger:
    | { readonly kind: 'http' }
    | {
        readonly kind: 'event';
        /** Null where it is for several. */
        deliveryId: string | null;
        attempt: number;
        /** It tells of no event: it is a request like those over HTTP. */
        isRequest?: boolean;
      };
  readonly requestId: string;
  /** The request that everything began with, when that is another one. */
  readonly rootId?: string | undefined;
  /** Functions between the first cause and this call. */
  readonly depth: number;
}
