/** A delivery that could be part of a batch. */
export interface BatchCandidate {
  readonly id: string;
  readonly payloadBytes: number;
}

/** All events of a batch together: what a function is given at once must fit its memory. */
const batchBytes = 6 * 1024 * 1024;

/**
 * Which deliveries go into a batch: the leader, and as many of the others in their order as fit. The leader always does.
 * @param size of the batch, the leader included
 */
export function fillBatch(
  leader: BatchCandidate,
  others: readonly BatchCandidate[],
  size: number,
  maxBytes: number = batchBytes,
): { ids: string[]; isFull: boolean } {
  const ids = [leader.id];
  let bytes = leader.payloadBytes;
  for (const { id, payloadBytes } of others) {
    if (ids.length >= size || bytes + payloadBytes > maxBytes) return { ids, isFull: true };
    ids.push(id);
    bytes += payloadBytes;
  }
  return { ids, isFull: ids.length >= size };
}
