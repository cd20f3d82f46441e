import { expect, it } from '@jest/globals';
import { z } from 'zod';
import { AppError } from './app-error.js';
import { parseInput } from './parse-input.js';

const schema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).optional(),
  size: z.number().gt(0).optional(),
  order: z.enum(['asc', 'desc']).optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  name: z.string().min(2).max(3).optional(),
  names: z.array(z.string()).max(1).optional(),
  own: z.string().regex(/^a/, 'expected a name that begins with a').optional(),
  nested: z.object({ flag: z.boolean() }).optional(),
});

it.each([
  [{ limit: 'x' }, 'limit: expected a number'],
  [{ limit: '1.5' }, 'limit: expected a whole number'],
  [{ limit: '0' }, 'limit: expected at least 1'],
  [{ limit: '1001' }, 'limit: expected at most 1000'],
  [{ size: 0 }, 'size: expected more than 0'],
  [{ order: 'up' }, 'order: expected one of asc, desc'],
  [{ since: 'yesterday' }, 'since: expected a time such as 2026-01-31T12:00:00Z'],
  [{ name: 'a' }, 'name: expected at least 2 characters'],
  [{ name: 'abcd' }, 'name: expected at most 3 characters'],
  [{ names: ['a', 'b'] }, 'names: expected at most 1 entry'],
  [{ names: 'a' }, 'names: expected a list'],
  [{ own: 'b' }, 'own: expected a name that begins with a'],
  [{ nested: {} }, 'nested.flag: expected true or false'],
  [{ limit: 'x', order: 'up' }, 'limit: expected a number; order: expected one of asc, desc'],
  [{ other: 1 }, 'Unrecognized key: "other"'],
])('of %j it is told: %s', (input, message) => {
  expect(() => parseInput(schema, input)).toThrow(
    new AppError({ code: 'invalid_request', status: 400, message }),
  );
});
