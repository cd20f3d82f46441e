import type { RequestContext, Sql } from '#libs/platform';
import { requestSettings, type Operation } from '../operation.js';

/**
 * Asks the row policies whether the caller may do `attempt`, by doing it and rolling it back.
 * @throws whatever PostgreSQL answers: 42501 when a policy refuses, 23505 when the name is taken
 */
export async function askPolicies(
  context: RequestContext,
  operation: Operation,
  attempt: (tx: Sql) => Promise<void>,
): Promise<void> {
  const { project, caller } = context;
  try {
    await project.database.asCaller(caller, requestSettings(context, operation), async (tx) => {
      await attempt(tx);
      throw allowed;
    });
  } catch (error) {
    if (error !== allowed) throw error;
  }
}

const allowed = new Error('Allowed; rolled back.');
