import { AppError, type Sql } from '#libs/platform';
import type { Manifest } from '../manifest/manifest.js';
import { subscribedQueues } from '../manifest/subscriptions.js';

/**
 * Only of the platform's own queues messages are carried to functions: not of those of the extension pgmq.
 * @throws AppError `invalid_manifest` (400)
 */
export async function refuseMissingQueues(tx: Sql, slug: string, manifest: Manifest): Promise<void> {
  const queues = subscribedQueues(manifest);
  if (queues.length === 0) return;
  const { rows } = await tx.query<{ queue: string }>(
    `select queue from unnest($1::text[]) queue
     where not exists (select from pg_trigger where tgname = 'galley_push'
                       and tgrelid = to_regclass(format('pgmq.%I', 'q_' || queue)))`,
    [queues],
  );
  if (rows.length === 0) return;
  const missing = rows.map(
    ({ queue }) => `functions.${slug}.on: there is no queue ${queue} that could be subscribed to`,
  );
  throw new AppError({
    code: 'invalid_manifest',
    status: 400,
    message: missing.join('; '),
    hint: "A migration creates a queue: select pgmq.create('orders'). Queues of the extension pgmq can only be read.",
  });
}
