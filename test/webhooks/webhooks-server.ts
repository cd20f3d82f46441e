import { randomBytes } from 'node:crypto';
import { EventsHttpModule } from '#libs/events';
import { Secrets } from '#libs/functions';
import { WebhooksHttpModule } from '#libs/webhooks';
import { WorkerModule } from '../../apps/worker/src/worker.module.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';
import { startReceiver, type Receiver } from './receiver.js';

/** What `HOOK_KEY`, the secret of webhooks in these tests, holds. */
export const key = randomBytes(32);

export const whsec = (bytes: Buffer) => `whsec_${bytes.toString('base64')}`;

/** A server that tells webhooks of rows of `public.orders`, and who is told. */
export interface WebhooksServer extends FunctionsServer {
  readonly receiver: Receiver;
  setSecret(name: string, value: string): Promise<unknown>;
  /** What a webhook of that name is made with. */
  orders(name: string, change?: Record<string, unknown>): Record<string, unknown>;
  /** Makes one and takes all others away, so that a test has its own alone. */
  only(name: string, change?: Record<string, unknown>): Promise<Record<string, unknown>>;
}

export async function startWebhooksServer(): Promise<WebhooksServer> {
  const receiver = await startReceiver();
  const modules = [WorkerModule, EventsHttpModule, WebhooksHttpModule.with(Secrets)];
  const server = await startFunctionsServer(modules);
  const setSecret = (name: string, value: string) => server.manage('POST', '/secrets', [{ name, value }]);
  const orders: WebhooksServer['orders'] = (name, change = {}) => ({
    name,
    url: `${receiver.url}/${name}`,
    event: 'row.inserted',
    table: 'public.orders',
    secret: 'HOOK_KEY',
    ...change,
  });
  await setSecret('HOOK_KEY', whsec(key));
  await server.project.database.query(
    `create table public.orders (id bigint primary key, title text);
     create table public.others (id bigint primary key)`,
  );
  return {
    ...server,
    receiver,
    setSecret,
    orders,
    async only(name, change) {
      const { body } = await server.manage('GET', '/webhooks');
      for (const { name: other } of body as unknown as { name: string }[]) {
        await server.manage('DELETE', `/webhooks/${other}`);
      }
      const made = await server.manage('POST', '/webhooks', orders(name, change));
      if (made.status !== 201) throw new Error(JSON.stringify(made.body));
      return made.body;
    },
    async close() {
      await server.close();
      receiver.close();
    },
  };
}
