import { scaleOf, type Size } from './rendered-size.js';
import type { Transform } from './transform.js';

/**
 * How much smaller a JPEG of this size may be decoded, so that none of `transforms` misses a pixel. libjpeg does
 * halves, quarters and eighths at less than the price of the whole. 1 when one of them needs all pixels.
 */
export function jpegShrink(picture: Size, transforms: readonly Transform[]): 1 | 2 | 4 | 8 {
  const scale = Math.max(...transforms.map((transform) => scaleOf(picture, transform)));
  return ([8, 4, 2] as const).find((shrink) => isEnough(picture, shrink, scale)) ?? 1;
}

function isEnough({ width, height }: Size, shrink: number, scale: number): boolean {
  return Math.floor(width / shrink) >= width * scale && Math.floor(height / shrink) >= height * scale;
}
