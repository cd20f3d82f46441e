import type { Readable } from 'node:stream';
import { AppError } from '../errors/app-error.js';
import { limits } from '../limits.js';

/** Bytes of bodies that are being collected by this process. */
let heldBytes = 0;

/**
 * Collects a request body. What is left of one that is refused stays with the stream: see `discardBody`.
 * @throws AppError `body_too_large` (413) as soon as more than `maxBytes` arrived; `body_too_slow` (408) when not all of
 *   it came within `limits.bodyMs`; `too_busy` (503) when this process holds `limits.heldBodyBytes` of bodies that are
 *   still arriving
 */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer> {
  const collected = { chunks: [] as Buffer[], sizeBytes: 0, isRefused: false };
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow()), limits.bodyMs);
  });
  try {
    await Promise.race([collect(body, maxBytes, collected), timeout]);
  } finally {
    collected.isRefused = true;
    clearTimeout(timer);
    heldBytes -= collected.sizeBytes;
  }
  const { chunks, sizeBytes } = collected;
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes);
}

async function collect(
  body: Readable,
  maxBytes: number,
  into: { chunks: Buffer[]; sizeBytes: number; isRefused: boolean },
): Promise<void> {
  // A request that is destroyed takes its connection along, before the refusal is told.
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (into.isRefused) return;
    into.sizeBytes += chunk.length;
    heldBytes += chunk.length;
    if (into.sizeBytes > maxBytes) throw tooLarge(maxBytes);
    if (heldBytes > limits.heldBodyBytes) throw tooBusy();
    into.chunks.push(chunk);
  }
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
    headers: { Connection: 'close' },
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
