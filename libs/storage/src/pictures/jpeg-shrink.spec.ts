import { describe, expect, it } from '@jest/globals';
import { jpegShrink } from './jpeg-shrink.js';

describe('the shrinking of a JPEG of 4000 × 3000 while it is decoded', () => {
  it.each([
    [8, [{ width: 64, height: 64 }]],
    [4, [{ width: 64, height: 64 }, { width: 512 }]],
    [8, [{ width: 500 }]],
    [4, [{ width: 501 }]],
    [2, [{ width: 100, height: 1500 }]],
    [8, [{ width: 500, height: 2000, resize: 'contain' as const }]],
    [1, [{ width: 500, height: 2000, resize: 'fill' as const }]],
    [1, [{ width: 64 }, { quality: 50 }]],
    [1, [{ width: 64 }, { width: 9000 }]],
  ])('is by %s for %j', (shrink, transforms) => {
    expect(jpegShrink({ width: 4000, height: 3000 }, transforms)).toBe(shrink);
  });

  it('never leaves a pixel too few where the sides cannot be divided', () => {
    expect(jpegShrink({ width: 4001, height: 3000 }, [{ width: 501 }])).toBe(4);
    expect(jpegShrink({ width: 4007, height: 3000 }, [{ width: 500 }])).toBe(8);
  });
});
