/** Value of `Content-Range` (RFC 9110 §14.4) for `count` rows from `offset` on (`0-24/357`). */
export function contentRange(offset: number, count: number, total: number | undefined): string {
  const rows = count > 0 && total !== 0 ? `${offset}-${offset + count - 1}` : '*';
  return `${rows}/${total ?? '*'}`;
}

/** 206 when rows are left out, 416 when the range begins behind the last one, else 200. */
export function rangeStatus(offset: number, count: number, total: number | undefined): 200 | 206 | 416 {
  if (total === undefined) return 200;
  if (offset > total) return 416;
  return count < total ? 206 : 200;
}
