import type { ProjectDatabase, Sql } from '#libs/platform';
import type { CommittedEvent } from '../catalogue.js';
import { completeEvents, type ClaimedEvent } from '../outbox.js';
import { settleMessages } from './queue-push.sql.js';

/**
 * Takes carried events out of the outbox, and gives messages back to their readers that no function wants any more: with
 * them in one transaction, so that a relay which no longer holds an event gives back nothing that another has carried.
 *
 * @param carried ids of events that somebody wanted
 * @returns how many were taken out
 */
export async function completeCarried(
  database: ProjectDatabase,
  events: readonly ClaimedEvent[],
  carried: ReadonlySet<string>,
): Promise<number> {
  const unwanted = events.filter(({ id, name }) => name === 'queue.message' && !carried.has(id));
  if (unwanted.length === 0) return (await completeEvents(database, events)).size;
  return database.asSystem(async (tx) => {
    const completed = await completeEvents(tx, events);
    await release(
      tx,
      unwanted.filter(({ id }) => completed.has(id)),
    );
    return completed.size;
  });
}

async function release(tx: Pick<Sql, 'query'>, unwanted: readonly CommittedEvent[]): Promise<void> {
  if (unwanted.length === 0) return;
  const messages = unwanted.map(({ id, subject }) => ({
    queue: subject.queue,
    eventId: id,
    state: 'unwanted' as const,
  }));
  await settleMessages(tx, messages);
}
