import type { FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import type { z } from 'zod';
import { readJson } from '#libs/platform';
import { invalidRequest } from './errors.js';
import { limits } from './limits.js';

/** The JSON body of a storage request; an empty one is `{}`. */
export function readJsonBody(request: FastifyRequest): Promise<unknown> {
  return readJson((request.body as Readable | undefined | null) ?? Readable.from([]), limits.jsonBodyBytes);
}

/** @throws AppError `InvalidRequest` that names the field and what is wrong with it */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join('.') || 'body';
  throw invalidRequest(`${where}: ${issue?.message ?? 'invalid'}`);
}
