import type { Readable } from 'node:stream';
import { AppError } from '../errors/app-error.js';
import { limits } from '../limits.js';
import { HeldBodies } from './held-bodies.js';

const held = new HeldBodies(limits);

interface Collected {
  readonly chunks: Buffer[];
  sizeBytes: number;
  isRefused: boolean;
}

/**
 * Collects a request body. What is left of one that is refused stays with the stream: see `discardBody`.
 * @param client  who sends it, where bodies of one are to leave room for those of others
 * @throws AppError `body_too_large` (413) as soon as more than `maxBytes` arrived; `body_too_slow` (408) when not all of
 *   it came within `limits.bodyMs`, or too little of it in a while; `too_busy` (503) when this process, or the client,
 *   has too many bytes of bodies that are still arriving
 */
export async function readBody(body: Readable, maxBytes: number, client?: string): Promise<Buffer> {
  const collected: Collected = { chunks: [], sizeBytes: 0, isRefused: false };
  let stop = () => {};
  const tooLate = new Promise<never>((_, reject) => (stop = watchPace(collected, reject)));
  try {
    await Promise.race([collect(body, maxBytes, client, collected), tooLate]);
  } finally {
    collected.isRefused = true;
    stop();
    held.remove(collected.sizeBytes, client);
  }
  const { chunks, sizeBytes } = collected;
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes);
}

async function collect(
  body: Readable,
  maxBytes: number,
  client: string | undefined,
  into: Collected,
): Promise<void> {
  // A request that is destroyed takes its connection along, before the refusal is told.
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (into.isRefused) return;
    into.sizeBytes += chunk.length;
    held.add(chunk.length, into.sizeBytes, client);
    if (into.sizeBytes > maxBytes) throw tooLarge(maxBytes);
    into.chunks.push(chunk);
  }
}

/**
 * Refuses a body that takes too long in all, or takes up memory and hardly goes on.
 * @returns stops watching
 */
function watchPace(collected: Collected, refuse: (error: AppError) => void): () => void {
  const { bodyMs, bodyPaceMs, bodyPaceBytes, smallBodyBytes } = limits;
  let elapsedMs = 0;
  let beforeBytes = 0;
  const check = () => {
    elapsedMs += bodyPaceMs;
    const { sizeBytes } = collected;
    if (elapsedMs >= bodyMs) return refuse(tooSlow(`did not arrive within ${bodyMs / 1000} s`));
    if (sizeBytes > smallBodyBytes && sizeBytes - beforeBytes < bodyPaceBytes) {
      return refuse(tooSlow(`brought less than ${bodyPaceBytes} bytes in ${bodyPaceMs / 1000} s`));
    }
    beforeBytes = sizeBytes;
    timer = setTimeout(check, bodyPaceMs);
  };
  let timer = setTimeout(check, bodyPaceMs);
  return () => clearTimeout(timer);
}

function tooLarge(maxBytes: number): AppError {
  return new AppError({
    code: 'body_too_large',
    status: 413,
    message: `The request body is larger than ${maxBytes} bytes`,
  });
}

function tooSlow(what: string): AppError {
  return new AppError({
    code: 'body_too_slow',
    status: 408,
    message: `The request body ${what}`,
    headers: { Connection: 'close' },
  });
}

/**
 * Parses a JSON request body; an empty one is `{}`.
 * @throws AppError `invalid_json` (400), and what {@link readBody} throws.
 */
export async function readJson(body: Readable, maxBytes: number, client?: string): Promise<unknown> {
  const text = (await readBody(body, maxBytes, client)).toString('utf8');
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
