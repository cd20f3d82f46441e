import type { RenderedPicture, OpenPicture } from './render-picture.js';
import type { Transform } from './transform.js';

interface Waiting {
  readonly transform: Transform;
  readonly acceptsWebp: boolean;
  readonly resolve: (picture: RenderedPicture) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Renderings of one version that wait for their turn together: its bytes are read and decoded once for all of them.
 * Whoever shows a picture mostly wants it in several sizes.
 */
export class RenderTogether {
  readonly #waiting = new Set<Waiting>();
  readonly #left = new AbortController();

  /** @param onDeserted called when everyone has left before their turn */
  constructor(private readonly onDeserted: () => void) {}

  /** Aborted when everyone has left before their turn. */
  get deserted(): AbortSignal {
    return this.#left.signal;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Waits for the rendering. @throws what {@link render} or {@link fail} failed with; the reason of `signal` */
  join(transform: Transform, acceptsWebp: boolean, signal: AbortSignal): Promise<RenderedPicture> {
    return new Promise<RenderedPicture>((resolve, reject) => {
      signal.throwIfAborted();
      const waiting = { transform, acceptsWebp, resolve, reject };
      this.#waiting.add(waiting);
      const leave = () => {
        reject(signal.reason as Error);
        if (!this.#waiting.delete(waiting) || this.#waiting.size > 0) return;
        this.onDeserted();
        this.#left.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Renders for everyone who still waits, one after the other. */
  async render(open: (transforms: readonly Transform[]) => Promise<OpenPicture>): Promise<void> {
    const picture = await open([...this.#waiting].map(({ transform }) => transform));
    for (const waiting of this.#waiting) {
      const { transform, acceptsWebp, resolve, reject } = waiting;
      await picture.render(transform, acceptsWebp).then(resolve, reject);
      this.#waiting.delete(waiting);
    }
  }

  fail(reason: unknown): void {
    for (const { reject } of this.#waiting) reject(reason);
    this.#waiting.clear();
  }
}
