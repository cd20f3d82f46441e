import { validationFailed } from '../errors.js';
import { limits } from '../limits.js';

/** @throws AppError `validation_failed` when `metadata` is too large to travel in access tokens. */
export function requireFitting(metadata: Record<string, unknown>): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) <= limits.userMetadataBytes) return;
  throw validationFailed(`user_metadata cannot be larger than ${limits.userMetadataBytes} bytes of JSON`);
}
