import type { Logger, PlatformDatabase, Project } from '#libs/platform';
import { WakeableLoop } from '../wakeable-loop.js';
import {
  messageStepSize,
  pushDueMessages,
  queuesChannel,
  settleMessages,
  syncPushedQueues,
  takeSettled,
} from './queue-push.sql.js';

/** Queues are looked at this often even without a notification: one may have been lost. */
const sweepMs = 30_000;

/**
 * Carries messages of queues that functions subscribe to. Most become events in the transaction that sends them; this
 * pushes the others, whose time comes later or that were there before the subscription, and lets messages follow what
 * became of their deliveries: one that every function has taken goes, one that is dead is left to readers.
 *
 * A push and its event are one transaction. What became of a delivery is noted in the transaction that ends it, and
 * crossed out after the message has followed; a crash in between repeats it, which changes nothing.
 */
export class QueuePush {
  readonly #stopListening: (() => Promise<void>)[] = [];
  readonly #pushes: readonly WakeableLoop[];
  readonly #settling: WakeableLoop;

  constructor(
    private readonly projects: readonly Project[],
    private readonly platform: PlatformDatabase,
    logger: Logger,
  ) {
    this.#pushes = projects.map(
      (project) => new WakeableLoop('Pushing messages of queues', () => this.push(project), logger),
    );
    this.#settling = new WakeableLoop('Settling messages of queues', () => this.settle(), logger);
  }

  async start(): Promise<void> {
    const wakeAll = () => this.#loops().forEach((loop) => loop.wake());
    this.#stopListening.push(await this.platform.listen(queuesChannel, wakeAll));
    for (const [i, { database }] of this.projects.entries())
      this.#stopListening.push(await database.listen(queuesChannel, () => this.#pushes[i]!.wake()));
    wakeAll();
  }

  async stop(): Promise<void> {
    for (const stopListening of this.#stopListening.splice(0)) await stopListening();
    await Promise.all(this.#loops().map((loop) => loop.stop()));
  }

  /** Pushes what is due in one project; returns in how many ms more is, or is to be looked for. */
  async push(project: Project): Promise<number> {
    await syncPushedQueues(this.platform, project);
    for (;;) {
      const { pushed, dueAt } = await pushDueMessages(project);
      if (pushed === messageStepSize) continue;
      const waitMs = dueAt ? dueAt.getTime() - Date.now() : sweepMs;
      return Math.max(0, Math.min(waitMs, sweepMs));
    }
  }

  /** Lets messages follow their deliveries; returns in how many ms to look again. */
  async settle(): Promise<number> {
    let taken: number;
    do {
      taken = await this.platform.transaction(async (tx) => {
        const settled = await takeSettled(tx);
        for (const project of this.projects) {
          const own = settled.messages.filter(({ projectRef }) => projectRef === project.ref);
          if (own.length > 0) await settleMessages(project.database, own);
        }
        return settled.taken;
      });
    } while (taken === messageStepSize);
    return sweepMs;
  }

  #loops(): WakeableLoop[] {
    return [...this.#pushes, this.#settling];
  }
}
