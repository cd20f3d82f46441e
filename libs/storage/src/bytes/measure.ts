import { createHash } from 'node:crypto';
import { tooLarge } from '../errors.js';
import type { StoredVersion } from './object-bytes.js';

/**
 * Counts and hashes bytes on their way, cutting them off beyond `maxBytes`.
 * `stored()` tells the sums once `chunks` has been read to its end.
 */
export function measure(source: AsyncIterable<Uint8Array>, maxBytes: number) {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw tooLarge();
      hash.update(chunk);
      yield chunk;
    }
  }
  return { chunks: chunks(), stored: (): StoredVersion => ({ sizeBytes, sha256: hash.digest('hex') }) };
}
