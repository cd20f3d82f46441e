import { limits } from '../limits.js';
import type { Transform } from './transform.js';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A transformation whose sides say exactly how large the rendering becomes. */
export type SizedTransform = Transform & Size;

/**
 * Names the sides that were left open, as the whole picture gives them: a shrunk one has its sides rounded. Without
 * a bound on these, a picture as narrow as it may be and very tall would be rendered with all its pixels.
 */
export function withBothSides({ width, height }: Size, transform: Transform): SizedTransform {
  if (hasOwnShape(transform)) return transform;
  const scale = scaleOf({ width, height }, transform);
  const scaled = (side: number) => Math.max(1, Math.round(side * scale));
  return { ...transform, width: scaled(width), height: scaled(height), resize: 'fill' };
}

/** The rendering's size as a part of the picture's, along the side that keeps more. */
export function scaleOf({ width, height }: Size, transform: Transform): number {
  const scales = [
    ...(transform.width ? [transform.width / width] : []),
    ...(transform.height ? [transform.height / height] : []),
  ];
  if (hasOwnShape(transform)) return Math.max(...scales);
  return Math.min(1, ...scales, Math.sqrt(limits.renderedPixels / (width * height)));
}

function hasOwnShape(transform: Transform): transform is SizedTransform {
  return Boolean(transform.width && transform.height) && transform.resize !== 'contain';
}
