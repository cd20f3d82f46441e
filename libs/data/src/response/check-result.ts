import { pgrstError } from '../errors.js';
import type { Plan } from '../plan/plan.js';
import type { QueryResult } from './query-result.js';

/**
 * Refuses a result with other rows than the client will take; a change is then rolled back.
 * @throws AppError PGRST116, PGRST124
 */
export function checkResult(plan: Plan, { pageTotal }: QueryResult): void {
  const { exactlyOne, atMost } = plan.expected;
  if (exactlyOne && pageTotal !== 1) {
    throw pgrstError('PGRST116', {
      message: 'Cannot coerce the result to a single JSON object',
      details: `The result contains ${pageTotal} rows`,
    });
  }
  if (atMost !== undefined && pageTotal > atMost) {
    throw pgrstError('PGRST124', {
      message: 'Query result exceeds max-affected preference constraint',
      details: `The query affects ${pageTotal} rows`,
    });
  }
}
