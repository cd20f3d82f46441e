import type { z } from 'zod';
import { AppError } from './app-error.js';
import { expected } from './expected.js';

/** @throws AppError `code` (400) that names, in one line, each field that is wrong and what was expected there */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  code = 'invalid_request',
): z.output<Schema> {
  const parsed = schema.safeParse(input, { error: expected });
  if (parsed.success) return parsed.data;
  throw new AppError({ code, status: 400, message: problemsInOneLine(parsed.error) });
}

/** `limit: expected …; state: expected …` */
export function problemsInOneLine(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
}
