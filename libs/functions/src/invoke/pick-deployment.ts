import { createHash } from 'node:crypto';

/**
 * One of the deployments that share a function's calls, by their percentages. An event is always met by the same one
 * while these stay, so that a retry is; any other call by whichever chance names.
 *
 * @param parts whose percentages make 100 together
 */
export function pickDeployment<Part extends { readonly percent: number }>(
  parts: readonly Part[],
  eventId: string | undefined,
): Part | undefined {
  if (parts.length <= 1) return parts[0];
  let point = eventId === undefined ? Math.random() * 100 : pointOf(eventId);
  for (const part of parts) {
    if (point < part.percent) return part;
    point -= part.percent;
  }
  return parts.at(-1);
}

/** From 0 up to, but not, 100, spread evenly over ids. */
function pointOf(eventId: string): number {
  return (createHash('sha256').update(eventId).digest().readUInt32BE(0) / 2 ** 32) * 100;
}
