import { Inject, Injectable } from '@nestjs/common';
import {
  columnKinds,
  columnProblems,
  lockActivations,
  syncRowTriggers,
  watchedTables,
  webhookTarget,
  type ColumnKind,
} from '#libs/events';
import {
  AppError,
  CONFIG,
  DeclaredHosts,
  derivedId,
  isPublicAddress,
  newId,
  PlatformDatabase,
  type Config,
  type Project,
  type Sql,
} from '#libs/platform';
import { isIP } from 'node:net';
import { limits } from './limits.js';
import { SecretValues } from './secret-values.js';
import { signingKeys } from './sending/signing-keys.js';
import { filterOf, parseWebhook, type WebhookFilter, type WebhookSettings } from './webhook-settings.js';
import {
  deleteWebhook,
  disableWebhook,
  findWebhooks,
  setSubscription,
  upsertWebhook,
  type Webhook,
} from './webhooks.sql.js';

/** Why one is told nothing that somebody switched off. */
const switchedOff = 'It was switched off';

/** Which URLs of a project are told of which events. */
@Injectable()
export class Webhooks {
  readonly #privateHosts: DeclaredHosts;

  constructor(
    private readonly database: PlatformDatabase,
    private readonly secrets: SecretValues,
    @Inject(CONFIG) config: Config,
  ) {
    this.#privateHosts = new DeclaredHosts(config.functions.privateHosts, null);
  }

  /** By name. */
  list(project: Project): Promise<Webhook[]> {
    return findWebhooks(this.database, project.ref);
  }

  async find(project: Project, name: string): Promise<Webhook | undefined> {
    return (await findWebhooks(this.database, project.ref, name))[0];
  }

  /** @throws AppError `webhook_exists` (409), and as {@link save} */
  create(project: Project, input: unknown): Promise<Webhook> {
    return this.#save(project, parseWebhook(input), (known) => {
      if (known) throw problem('webhook_exists', 409, `There is a webhook ${known.name} already`);
    });
  }

  /** @throws AppError `not_found` (404), and as {@link save} */
  async change(project: Project, name: string, changes: Readonly<Record<string, unknown>>): Promise<Webhook> {
    const known = (await this.find(project, name)) ?? missing(name);
    const { url, event, filter, secret, attempts } = known;
    // Filters of one event mean nothing to another.
    const kept = changes['event'] === undefined ? filter : {};
    const input = { url, event, ...kept, secret, attempts, ...changes, name };
    // Null takes a filter away.
    const named = Object.entries(input).filter(([, value]) => value !== null);
    return this.#save(project, parseWebhook(Object.fromEntries(named)), (found) => found ?? missing(name));
  }

  /**
   * Makes it what `input` says, whether there was one of that name or not.
   * @throws AppError `invalid_webhook` (400), also when the table or secret that it names is not there;
   *   `too_many_webhooks` (400)
   */
  save(project: Project, input: unknown): Promise<Webhook> {
    return this.#save(project, parseWebhook(input), () => {});
  }

  /** What is on its way to it becomes dead letters. @throws AppError `not_found` (404) */
  async remove(project: Project, name: string): Promise<void> {
    await this.#inLock(project, async (tx) => {
      if (!(await deleteWebhook(tx, project.ref, name))) missing(name);
      await setSubscription(tx, project.ref, webhookTarget(name), null);
    });
    await this.#withdrawTriggers(project);
  }

  /** Tells it nothing more, since whoever is there wants nothing more. */
  async disable(project: Project, webhook: Webhook, reason: string): Promise<void> {
    await this.#inLock(project, async (tx) => {
      const isDone = await disableWebhook(tx, project.ref, webhook, reason);
      if (isDone) await setSubscription(tx, project.ref, webhookTarget(webhook.name), null);
    });
    await this.#withdrawTriggers(project);
  }

  /** @param check is given the one of this name, if there is one, and may refuse */
  async #save(
    project: Project,
    webhook: WebhookSettings,
    check: (known: Webhook | undefined) => void,
  ): Promise<Webhook> {
    this.#checkAddress(webhook.url);
    await this.#checkSecret(project, webhook.secret);
    const { name, event } = webhook;
    const filter = filterOf(webhook);
    const target = webhookTarget(name);
    const subscription = { id: derivedId(project.ref, target, event, JSON.stringify(filter)), event, filter };
    const saved = await this.#inLock(project, async (tx) => {
      const all = await findWebhooks(tx, project.ref);
      const known = all.find((one) => one.name === name);
      check(known);
      if (!known && all.length >= limits.webhooks)
        throw problem('too_many_webhooks', 400, `A project may have ${limits.webhooks} webhooks`);
      const before = known?.disabledReason ?? null;
      const enabled = webhook.enabled ?? before === null;
      const disabledReason = enabled ? null : (before ?? switchedOff);
      const row = await upsertWebhook(tx, project.ref, { ...webhook, id: newId(), filter, disabledReason });
      await setSubscription(tx, project.ref, target, enabled ? subscription : null);
      // Last, so that nothing refuses it after that; the project's database is another one than `tx` is in.
      if (filter.table !== undefined) await watch(project, filter, filter.table);
      return row;
    });
    await this.#withdrawTriggers(project);
    return saved;
  }

  /** What a name leads to is asked whenever it is told something; an address is what it is. */
  #checkAddress(url: string): void {
    const { hostname, port, protocol } = new URL(url);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(host) === 0 || isPublicAddress(host)) return;
    if (this.#privateHosts.permits(host, Number(port) || (protocol === 'https:' ? 443 : 80))) return;
    const message = `url: ${host} is not a public address; the operator can allow it with GALLEY_PRIVATE_HOSTS`;
    throw problem('invalid_webhook', 400, message);
  }

  async #checkSecret(project: Project, name: string): Promise<void> {
    const value = (await this.secrets.values(project.ref, [name])).get(name);
    if (value === undefined)
      throw problem(
        'invalid_webhook',
        400,
        `secret: there is no secret ${name}; set it with \`galley secrets set\``,
      );
    signingKeys(name, value);
  }

  async #inLock<T>(project: Project, work: (tx: Sql) => Promise<T>): Promise<T> {
    return this.database.transaction(async (tx) => {
      await lockActivations(tx, project.ref);
      return work(tx);
    });
  }

  /** After a change was committed: the tables that nobody subscribes to any more are watched no longer. */
  async #withdrawTriggers(project: Project): Promise<void> {
    await this.#inLock(project, async (tx) => {
      const tables = await watchedTables(tx, project.ref);
      await project.database.asSystem(async (own) => {
        await own.query(`set local lock_timeout = ${lockTimeoutMs}`);
        await syncRowTriggers(own, tables, true);
      });
    });
  }
}

/** Such a trigger waits for all who have changed rows and not committed yet; not for ever. */
const lockTimeoutMs = 10_000;

/** @throws AppError `invalid_webhook` (400) when there is no such table, or none with such columns */
async function watch(project: Project, filter: WebhookFilter, table: string): Promise<void> {
  await project.database.asSystem(async (tx) => {
    await tx.query(`set local lock_timeout = ${lockTimeoutMs}`);
    const { rows } = await tx.query<{ columns: [string, ColumnKind][] }>(
      `select ${columnKinds} as columns from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind = 'r' and n.nspname || '.' || c.relname = $1`,
      [table],
    );
    const [found] = rows;
    if (!found)
      throw problem('invalid_webhook', 400, `table: there is no table ${table} whose rows could be watched`);
    const problems = columnProblems(filter, new Map(found.columns));
    if (problems.length > 0) throw problem('invalid_webhook', 400, problems.join('; '));
    await syncRowTriggers(tx, [table], false);
  });
}

function missing(name: string): never {
  throw problem('not_found', 404, `There is no webhook ${name}`);
}

function problem(code: string, status: number, message: string): AppError {
  return new AppError({ code, status, message });
}
