import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { OperatorError } from './errors/app-error.js';

const nonceBytes = 12;
const tagBytes = 16;

/** Seals secrets for storage with AES-256-GCM under the master key: nonce, tag, ciphertext. */
export class Sealer {
  readonly #key: Buffer;

  constructor(private readonly masterKey: Buffer) {
    this.#key = this.derive('galley sealing v1', 32);
  }

  /** @param context what the secret belongs to; a sealed value opens only under the same context. */
  seal(plain: string, context: string): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  /** @throws OperatorError when it was sealed with another master key, or damaged. */
  open(sealed: Uint8Array, context: string): string {
    const bytes = Buffer.from(sealed);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, nonceBytes))
        .setAAD(Buffer.from(context))
        .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
      return (
        decipher.update(bytes.subarray(nonceBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8')
      );
    } catch (cause) {
      throw new OperatorError(
        `A secret (${context}) in the platform database was sealed with another master key. ` +
          'Set GALLEY_MASTER_KEY (or master.key in the data directory) to the one it was made with.',
        { cause },
      );
    }
  }

  /** A secret for another purpose, always the same for one master key. */
  derive(purpose: string, sizeBytes: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.masterKey, '', purpose, sizeBytes));
  }
}
