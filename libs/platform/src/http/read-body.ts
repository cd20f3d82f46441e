import type { Readable } from 'node:stream';
import { AppError } from '../errors/app-error.js';

/**
 * Collects a request body.
 * @throws AppError `body_too_large` (413) as soon as more than `maxBytes` arrived.
 */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) {
      throw new AppError({
        code: 'body_too_large',
        status: 413,
        message: `The request body is larger than ${maxBytes} bytes`,
      });
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, sizeBytes);
}

/**
 * Parses a JSON request body; an empty one is `{}`.
 * @throws AppError `body_too_large` (413), `invalid_json` (400).
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
