import type { PlatformDatabase, Project, Sql } from '#libs/platform';

/** Both databases tell on it that messages are to be carried, or to follow their deliveries. */
export const queuesChannel = 'galley_queues';

/** How many messages one step takes. */
export const messageStepSize = 100;

/** A message that was carried to functions, and what is to become of it now. */
export interface SettledMessage {
  /** Null: the event was refused, and its id is all that is known of it. */
  readonly queue: string | null;
  readonly eventId: string;
  readonly state: 'succeeded' | 'open' | 'failed' | 'unwanted';
}

/** Tells the project's database which queues functions subscribe to. */
export async function syncPushedQueues(platform: PlatformDatabase, project: Project): Promise<void> {
  const { rows } = await platform.query<{ queue: string }>(
    `select distinct filter ->> 'queue' as queue from subscriptions
     where project_ref = $1 and event = 'queue.message'`,
    [project.ref],
  );
  const queues = rows.map(({ queue }) => queue);
  await project.database.query(
    `with gone as (delete from galley.pushed_queues where queue_name <> all($1::text[]))
     insert into galley.pushed_queues select unnest($1::text[]) on conflict do nothing`,
    [queues],
  );
}

/** Pushes messages whose time has come; returns how many, and in how many ms the next one's comes. */
export async function pushDueMessages(project: Project): Promise<{ pushed: number; dueInMs: number | null }> {
  const { rows } = await project.database.query<{ pushed: number; dueInMs: number | null }>(
    'select pushed, due_in_ms as "dueInMs" from galley.push_due_messages($1)',
    [messageStepSize],
  );
  return rows[0]!;
}

/**
 * Takes what deliveries say about messages of a project out of the platform's database, one worker at a time, so that what
 * is said later is done later.
 */
export async function takeSettled(
  tx: Sql,
  projectRef: string,
): Promise<{ taken: number; messages: SettledMessage[] }> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('galley queue settlements of ' || $1, 0))`, [
    projectRef,
  ]);
  const taken = await tx.query<{ event_id: string }>(
    `delete from queue_settlements where id in (
       select id from queue_settlements where project_ref = $1 order by id limit $2)
     returning event_id`,
    [projectRef, messageStepSize],
  );
  const { rows } = await tx.query<SettledMessage>(
    `select "eventId", queue,
            case when bool_or(is_open) then 'open' when bool_and(is_taken) then 'succeeded' else 'failed' end as state
     from (
       -- A replay is a second delivery of one subscription.
       select event_id as "eventId", payload #>> '{record,queue}' as queue,
              bool_or(state in ('queued', 'running')) as is_open, bool_or(state = 'succeeded') as is_taken
       from deliveries where project_ref = $1 and event_name = 'queue.message' and event_id = any($2::uuid[])
       group by 1, 2, subscription_id
     ) as by_subscription
     group by 1, 2`,
    [projectRef, taken.rows.map((row) => row.event_id)],
  );
  return { taken: taken.rowCount, messages: rows };
}

/** Repeating it changes nothing. */
export async function settleMessages(
  sql: Pick<Sql, 'query'>,
  messages: readonly SettledMessage[],
): Promise<void> {
  const settled = messages.map(({ queue, eventId, state }) => ({ queue, event_id: eventId, state }));
  await sql.query('select galley.settle_messages($1::jsonb)', [JSON.stringify(settled)]);
}
