import { AppError, sqlStateOf, type PlatformDatabase } from '#libs/platform';
import { limits } from '../limits.js';
import type { LogFilter } from './log-filter.js';
import { listLines, type LogPage, type WrittenLogLine } from './log-lines.sql.js';

const queryCanceled = '57014';

/**
 * Lists lines, reading no longer than `limits.logSearchMs`: a text that is nowhere is looked for in every line.
 * @throws AppError `log_search_timeout` (504)
 */
export async function searchLogs(
  database: PlatformDatabase,
  filter: LogFilter,
  page: LogPage,
): Promise<WrittenLogLine[]> {
  try {
    return await database.transaction(async (tx) => {
      await tx.query(`select set_config('statement_timeout', $1, true)`, [String(limits.logSearchMs)]);
      return listLines(tx, filter, page);
    });
  } catch (error) {
    if (sqlStateOf(error) !== queryCanceled) throw error;
    throw new AppError({
      code: 'log_search_timeout',
      status: 504,
      message: `The search took longer than ${limits.logSearchMs} ms`,
      hint: 'Narrow it by since and until, or to one function or invocation',
    });
  }
}
