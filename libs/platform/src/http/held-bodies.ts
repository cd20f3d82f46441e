import { AppError } from '../errors/app-error.js';

/** Bytes of bodies that are still arriving, of all clients together. */
export class HeldBodies {
  #bytes = 0;
  readonly #ofClients = new Map<string, number>();

  constructor(
    private readonly bounds: {
      readonly heldBodyBytes: number;
      readonly smallBodyBytes: number;
      readonly smallBodiesBytes: number;
    },
  ) {}

  /**
   * Counts what has come of a body. A small one is refused last. Of the room for others a client may take no more than it
   * leaves free, so that nobody fills all of it: half when alone, and half of the rest whoever comes next.
   * @param sizeBytes  of the body so far, with `bytes`
   * @param client  who sends it; undefined where it is no client
   * @throws AppError `too_busy` (503, `Retry-After`)
   */
  add(bytes: number, sizeBytes: number, client: string | undefined): void {
    const { heldBodyBytes, smallBodyBytes, smallBodiesBytes } = this.bounds;
    this.#bytes += bytes;
    const own = this.#addOwn(bytes, client);
    const isSmall = sizeBytes <= smallBodyBytes;
    const freeBytes = heldBodyBytes - this.#bytes;
    if (isSmall ? freeBytes + smallBodiesBytes < 0 : freeBytes < own) throw tooBusy();
  }

  /** Takes away what was counted of a body. */
  remove(bytes: number, client: string | undefined): void {
    this.#bytes -= bytes;
    this.#addOwn(-bytes, client);
  }

  #addOwn(bytes: number, client: string | undefined): number {
    if (client === undefined) return 0;
    const own = (this.#ofClients.get(client) ?? 0) + bytes;
    if (own > 0) this.#ofClients.set(client, own);
    else this.#ofClients.delete(client);
    return own;
  }
}

function tooBusy(): AppError {
  return new AppError({
    code: 'too_busy',
    status: 503,
    message: 'Too many large requests are arriving at once; try again',
    headers: { 'Retry-After': '5' },
  });
}
