import type { Sql } from '#libs/platform';
import type { WebhookFilter, WebhookSettings } from './webhook-settings.js';

/** A webhook as it is kept. */
export interface Webhook {
  readonly name: string;
  readonly url: string;
  readonly event: string;
  readonly filter: WebhookFilter;
  readonly secret: string;
  readonly attempts: number;
  /** Why it is told nothing; null when it is told. */
  readonly disabledReason: string | null;
  readonly disabledAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const columns = `name, url, event, filter, secret, attempts, disabled_reason as "disabledReason",
  disabled_at as "disabledAt", created_at as "createdAt", updated_at as "updatedAt"`;

/** By name; all of them without one. */
export async function findWebhooks(sql: Sql, projectRef: string, name?: string): Promise<Webhook[]> {
  const { rows } = await sql.query<Webhook>(
    `select ${columns} from webhooks where project_ref = $1 and ($2::text is null or name = $2) order by name`,
    [projectRef, name ?? null],
  );
  return rows;
}

/** Records it, or what it has become. */
export async function upsertWebhook(
  tx: Sql,
  projectRef: string,
  webhook: WebhookSettings & { id: string; filter: object; disabledReason: string | null },
): Promise<Webhook> {
  const { rows } = await tx.query<Webhook>(
    `insert into webhooks (id, project_ref, name, url, event, filter, secret, attempts, disabled_reason, disabled_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text, case when $9::text is not null then now() end)
     on conflict (project_ref, name) do update
       set url = excluded.url, event = excluded.event, filter = excluded.filter, secret = excluded.secret,
           attempts = excluded.attempts, disabled_reason = excluded.disabled_reason,
           disabled_at = case when excluded.disabled_at is not null then coalesce(webhooks.disabled_at, now()) end,
           updated_at = now()
     returning ${columns}`,
    [
      webhook.id,
      projectRef,
      webhook.name,
      webhook.url,
      webhook.event,
      JSON.stringify(webhook.filter),
      webhook.secret,
      webhook.attempts,
      webhook.disabledReason,
    ],
  );
  return rows[0]!;
}

/** Unless it leads elsewhere by now. */
export async function disableWebhook(
  tx: Sql,
  projectRef: string,
  { name, url }: Pick<Webhook, 'name' | 'url'>,
  reason: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update webhooks set disabled_at = now(), disabled_reason = $4, updated_at = now()
     where project_ref = $1 and name = $2 and url = $3 and disabled_at is null`,
    [projectRef, name, url, reason],
  );
  return rowCount > 0;
}

export async function deleteWebhook(tx: Sql, projectRef: string, name: string): Promise<boolean> {
  const { rowCount } = await tx.query('delete from webhooks where project_ref = $1 and name = $2', [
    projectRef,
    name,
  ]);
  return rowCount > 0;
}

/** Makes this the only subscription of a target, or leaves it without one. */
export async function setSubscription(
  tx: Sql,
  projectRef: string,
  target: string,
  subscription: { id: string; event: string; filter: object } | null,
): Promise<void> {
  await tx.query(
    'delete from subscriptions where project_ref = $1 and function_slug = $2 and id is distinct from $3::uuid',
    [projectRef, target, subscription?.id ?? null],
  );
  if (!subscription) return;
  await tx.query(
    `insert into subscriptions (id, project_ref, function_slug, event, filter) values ($1, $2, $3, $4, $5)
     on conflict (id) do nothing`,
    [subscription.id, projectRef, target, subscription.event, JSON.stringify(subscription.filter)],
  );
}
