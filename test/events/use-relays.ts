import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { appendEvent, EventsHttpModule, JobQueue, queueNameOf, Relay, type EventPayload } from '#libs/events';
import { startTestServer, type TestServer } from '../support/server.js';

/** The function that wants what is uploaded to the bucket `avatars`. */
export const slug = 'thumbnails';

interface DeliveryRow {
  id: string;
  state: string;
  last_error: string;
  request_id: string;
}

/** What the tests of relays have: a server without a worker, whose events only they carry. */
export interface Relays {
  readonly server: TestServer;
  readonly queue: JobQueue;
  /** Stopped after the test. */
  newRelay(): Relay;
  append(bucket: string, depth?: number): Promise<unknown>;
  deliveries(): Promise<DeliveryRow[]>;
  outboxSize(): Promise<number>;
}

/** For all tests of a block, each of which begins without deliveries and jobs. */
export function useRelays(): Relays {
  let server: TestServer;
  let queue: JobQueue;
  const relays: Relay[] = [];
  beforeAll(async () => {
    server = await startTestServer({ modules: [EventsHttpModule] });
    queue = server.get(JobQueue);
    await server.platform.database.query(
      'insert into subscriptions (id, project_ref, function_slug, event, filter) values ($1, $2, $3, $4, $5)',
      [randomUUID(), 'local', slug, 'object.created', { bucket: 'avatars' }],
    );
  });
  afterEach(async () => {
    await Promise.all(relays.splice(0).map((relay) => relay.stop()));
    await server.platform.database.query('delete from deliveries');
    await queue.obliterate(queueNameOf('local', slug));
  });
  afterAll(() => server.close());
  return {
    get server() {
      return server;
    },
    get queue() {
      return queue;
    },
    newRelay() {
      const relay = new Relay(server.project, server.platform.database, queue, server.platform.logger);
      relays.push(relay);
      return relay;
    },
    append: (bucket, depth = 0) =>
      server.project.database.asSystem((tx) =>
        appendEvent(tx, { name: 'object.created', payload: upload(bucket), requestId: 'trace-1', depth }),
      ),
    async deliveries() {
      const { rows } = await server.platform.database.query<DeliveryRow>(
        'select * from deliveries where function_slug = $1',
        [slug],
      );
      return rows;
    },
    outboxSize: async () => (await server.project.database.query('select from galley.outbox')).rowCount,
  };
}

export const upload = (bucket: string): EventPayload<'object.created'> => ({
  bucket,
  name: 'a.jpg',
  version: 'v1',
  sizeBytes: 1,
  mimeType: 'image/jpeg',
  ownerId: null,
  record: {},
});
