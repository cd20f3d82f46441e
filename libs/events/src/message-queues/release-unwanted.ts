import type { Sql } from '#libs/platform';
import type { CommittedEvent } from '../catalogue.js';
import { settleMessages } from './queue-push.sql.js';

/** Gives messages back to their readers that no function wants any more. @param carried ids of events that one did want */
export async function releaseUnwanted(
  project: Pick<Sql, 'query'>,
  events: readonly CommittedEvent[],
  carried: ReadonlySet<string>,
): Promise<void> {
  const unwanted = events.filter(({ id, name }) => name === 'queue.message' && !carried.has(id));
  if (unwanted.length === 0) return;
  await settleMessages(
    project,
    unwanted.map(({ id, subject }) => ({
      queue: subject.queue,
      msgId: null,
      eventId: id,
      state: 'unwanted' as const,
    })),
  );
}
