import type { Jail } from './jail/jailer.js';

/**
 * A jail that is ready for the next process: the kernel takes a few milliseconds for a namespace of the network, which
 * a start then does not wait for. Nothing runs in it.
 */
export class SpareJail {
  #jail: Jail | null = null;
  #isMaking = false;
  #isClosed = false;

  /** @param make makes one that suits what is usual */
  constructor(private readonly make: () => Promise<Jail>) {}

  /** Null when there is none, or its maker is gone. {@link fill} when there is time. */
  take(): Jail | null {
    const jail = this.#jail;
    this.#jail = null;
    if (jail?.isKept()) return jail;
    jail?.remove();
    return null;
  }

  async fill(): Promise<void> {
    if (this.#jail || this.#isMaking || this.#isClosed) return;
    this.#isMaking = true;
    try {
      const jail = await this.make();
      if (this.#isClosed) jail.remove();
      else this.#jail = jail;
    } catch {
      // The host has no room just now; the next start makes its own.
    } finally {
      this.#isMaking = false;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#jail?.remove();
    this.#jail = null;
  }
}
