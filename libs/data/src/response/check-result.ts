import { pgrstError } from '../errors.js';
import { returnedRowsError } from '../guards/returned-rows.js';
import type { Plan } from '../plan/plan.js';
import type { QueryResult } from './query-result.js';

/**
 * Refuses a result with other rows than the client will take; a change is then rolled back.
 * @throws AppError 54000, PGRST110, PGRST115, PGRST116, PGRST124
 */
export function checkResult({ expected }: Plan, { pageTotal, changed = pageTotal }: QueryResult): void {
  const { exactlyOne, atMost, putOne, changeLimit, returnedAtMost } = expected;
  if (returnedAtMost !== undefined && pageTotal > returnedAtMost) {
    throw returnedRowsError(pageTotal, returnedAtMost);
  }
  if (putOne && changed !== 1) {
    throw pgrstError('PGRST115', {
      message: 'Payload values do not match URL in primary key column(s)',
    });
  }
  if (exactlyOne && pageTotal !== 1) {
    throw pgrstError('PGRST116', {
      message: 'Cannot coerce the result to a single JSON object',
      details: `The result contains ${pageTotal} rows`,
    });
  }
  if (changeLimit !== undefined && changed > changeLimit) {
    throw pgrstError('PGRST110', {
      message: 'The maximum number of rows allowed to change was surpassed',
      details: `Results contain ${changed} rows changed but the maximum number allowed is ${changeLimit}`,
    });
  }
  if (atMost !== undefined && pageTotal > atMost) {
    throw pgrstError('PGRST124', {
      message: 'Query result exceeds max-affected preference constraint',
      details: `The query affects ${pageTotal} rows`,
    });
  }
}

/** Whether only so many rows may change; a plan does not tell how many did. */
export function isBounded({ expected: { atMost, changeLimit } }: Plan): boolean {
  return atMost !== undefined || changeLimit !== undefined;
}

/** Whether {@link checkResult} may refuse what `plan` gives. */
export function mayRefuse({ expected }: Plan): boolean {
  const { exactlyOne, atMost, putOne, changeLimit, returnedAtMost } = expected;
  const bounds = [atMost, changeLimit, returnedAtMost];
  return exactlyOne || putOne === true || bounds.some((bound) => bound !== undefined);
}
