import { describe, expect, it } from '@jest/globals';
import { closeFrame, FrameTracker } from './web-socket-frames.js';

function frame(payloadBytes: number, masked: boolean): Buffer {
  const length =
    payloadBytes < 126
      ? [payloadBytes]
      : payloadBytes < 65_536
        ? [126, payloadBytes >> 8, payloadBytes & 0xff]
        : [127, 0, 0, 0, 0, 0, payloadBytes >> 16, (payloadBytes >> 8) & 0xff, payloadBytes & 0xff];
  length[0]! |= masked ? 0x80 : 0;
  return Buffer.concat([
    Buffer.from([0x82, ...length]),
    Buffer.alloc(masked ? 4 : 0),
    Buffer.alloc(payloadBytes, 0x88),
  ]);
}

describe('frames that pass', () => {
  it.each([
    [0, false],
    [125, true],
    [126, false],
    [65_535, true],
    [65_536, false],
    [200_000, true],
  ])('of %i bytes end where they end (masked: %s), however they are cut', (payloadBytes, masked) => {
    const bytes = Buffer.concat([frame(payloadBytes, masked), frame(3, false)]);
    for (const size of [1, 7, 4096, bytes.length]) {
      const tracker = new FrameTracker();
      expect(tracker.isBetweenFrames).toBe(true);
      const ends: number[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        tracker.see(bytes.subarray(at, at + size));
        if (tracker.isBetweenFrames) ends.push(Math.min(at + size, bytes.length));
      }
      expect(ends.at(-1)).toBe(bytes.length);
      if (size === 1) expect(ends).toEqual([bytes.length - 5, bytes.length]);
    }
  });

  it('of ours fit between them', () => {
    const tracker = new FrameTracker();
    tracker.see(closeFrame(1012, 'The server restarts'));
    expect(tracker.isBetweenFrames).toBe(true);
    expect([...closeFrame(1001, 'x')]).toEqual([0x88, 3, 0x03, 0xe9, 0x78]);
  });
});
