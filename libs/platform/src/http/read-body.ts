import type { Readable } from 'node:stream';
import { AppError } from '../errors/app-error.js';
import { limits } from '../limits.js';

/** Bytes of bodies that are being collected by this process. */
let heldBytes = 0;

/**
 * Collects a request body. One that does not arrive within `limits.bodyMs` is cut off.
 * @throws AppError `body_too_large` (413) as soon as more than `maxBytes` arrived; `too_busy` (503)
 *   when this process holds `limits.heldBodyBytes` of bodies that are still arriving
 */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const timer = setTimeout(() => body.destroy(tooSlow()), limits.bodyMs);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      heldBytes += chunk.length;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      if (heldBytes > limits.heldBodyBytes) throw tooBusy();
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
    heldBytes -= sizeBytes;
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes);
}

function tooLarge(maxBytes: number): AppError {
  return new AppError({
    code: 'body_too_large',
    status: 413,
    message: `The request body is larger than ${maxBytes} bytes`,
  });
}

function tooSlow(): AppError {
  return new AppError({
    code: 'body_too_slow',
    status: 408,
    message: `The request body did not arrive within ${limits.bodyMs / 1000} s`,
  });
}

function tooBusy(): AppError {
  return new AppError({
    code: 'too_busy',
    status: 503,
    message: 'Too many large requests are arriving at once; try again',
    headers: { 'Retry-After': '5' },
  });
}

/**
 * Parses a JSON request body; an empty one is `{}`.
 * @throws AppError `invalid_json` (400), and what {@link readBody} throws.
 */
export async function readJson(body: Readable, maxBytes: number): Promise<unknown> {
  const text = (await readBody(body, maxBytes)).toString('utf8');
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError({
      code: 'invalid_json',
      status: 400,
      message: 'The request body is not valid JSON',
      cause,
    });
  }
}
