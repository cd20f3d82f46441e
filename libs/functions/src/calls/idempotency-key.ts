import { invalidRequest } from '../http/function-errors.js';
import { limits } from '../limits.js';

/** A String of Structured Fields (RFC 9651 §3.3.3). */
const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const plain = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]+$/;

/**
 * The key of `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header §2.1), which is a quoted string; many clients
 * send it plain. Undefined when there is none.
 * @throws AppError `invalid_request` (400)
 */
export function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header).trim();
  const key = quoted.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1') ?? plain.exec(text)?.[0];
  if (key !== undefined && key !== '' && key.length <= limits.idempotencyKeyChars) return key;
  throw invalidRequest(
    `Idempotency-Key: expected a string in quotes of at most ${limits.idempotencyKeyChars} printable characters`,
  );
}
