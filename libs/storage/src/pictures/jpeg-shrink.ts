import type { Transform } from './transform.js';

interface Size {
  readonly width: number;
  readonly height: number;
}

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

/** The rendering's size as a part of the picture's, along the side that keeps more. */
function scaleOf({ width, height }: Size, transform: Transform): number {
  const across = transform.width ? transform.width / width : 0;
  const down = transform.height ? transform.height / height : 0;
  if (!across && !down) return 1;
  if (across && down && transform.resize === 'contain') return Math.min(across, down);
  return Math.max(across, down);
}

/** Names the side that was left open, as the whole picture gives it: a shrunk one has its sides rounded. */
export function withBothSides({ width, height }: Size, transform: Transform): Transform {
  if (!transform.width && !transform.height) return transform;
  if (transform.width && transform.height && transform.resize !== 'contain') return transform;
  const scale = Math.min(1, scaleOf({ width, height }, transform));
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return { ...transform, width: scaled(width), height: scaled(height), resize: 'fill' };
}
