import type { Readable } from 'node:stream';
import type { ByteRange } from '../byte-range.js';

/** What is known of a version once its bytes are stored. */
export interface StoredVersion {
  readonly sizeBytes: number;
  /** SHA-256 of the bytes, hex. */
  readonly sha256: string;
}

/**
 * Where the bytes of objects lie. A version is written once under its own key and never changed, so a reader
 * needs no lock: it sees a whole version or {@link BytesMissing}. Rows, names and rights are no concern of this port.
 * Every adapter passes `object-bytes.contract.ts`.
 */
export abstract class ObjectBytes {
  /**
   * Stores `chunks` under `key`. Nothing is visible, and nothing stays behind, unless all of them arrived; after
   * the promise resolves they outlive a crash.
   *
   * @throws AppError `EntityTooLarge` as soon as more than `maxBytes` arrived; whatever `chunks` throws.
   */
  abstract write(key: string, chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StoredVersion>;

  /**
   * Opens the bytes of a version, or of a part of it.
   * @throws BytesMissing
   */
  abstract read(key: string, range?: ByteRange): Promise<Readable>;

  /**
   * Makes the bytes of `from` available under `to` as well; removing one leaves the other.
   * @throws BytesMissing
   */
  abstract copy(from: string, to: string): Promise<void>;

  /** Removes versions; those that are not there count as removed. */
  abstract remove(keys: readonly string[]): Promise<void>;

  /** Every version whose key starts with `prefix` (which ends in `/`), in no order, with the time it was stored. */
  abstract list(prefix: string): AsyncIterable<{ key: string; storedAt: Date }>;

  /** Removes what writes left behind that a crash cut short before `before`. */
  abstract removeUnfinished(before: Date): Promise<void>;
}

/** No bytes are stored under this key. */
export class BytesMissing extends Error {
  constructor(key: string, options?: { cause?: unknown }) {
    super(`No bytes are stored under ${key}`, options);
    this.name = 'BytesMissing';
  }
}
