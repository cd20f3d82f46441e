/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 §5.2) as their bytes pass, without keeping any of them:
 * a frame of ours may be put only between two of theirs.
 */
export class FrameTracker {
  readonly #header: number[] = [];
  #payloadLeft = 0;

  /** True when what was seen ends with the end of a frame. */
  get isBetweenFrames(): boolean {
    return this.#header.length === 0 && this.#payloadLeft === 0;
  }

  see(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#payloadLeft > 0) {
        const passed = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= passed;
        at += passed;
      } else {
        this.#header.push(chunk[at++]!);
        this.#endHeader();
      }
    }
  }

  #endHeader(): void {
    const header = this.#header;
    if (header.length < 2) return;
    const short = header[1]! & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const maskBytes = header[1]! & 0x80 ? 4 : 0;
    if (header.length < 2 + lengthBytes + maskBytes) return;
    const length = header.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, 0);
    this.#payloadLeft = lengthBytes === 0 ? short : length;
    header.length = 0;
  }
}

/** A server's Close frame. `reason` is ASCII and short: a control frame holds 125 bytes (RFC 6455 §5.5). */
export function closeFrame(code: number, reason: string): Buffer {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason, 'latin1')]);
  return Buffer.concat([Buffer.from([0x88, payload.length]), payload]);
}
