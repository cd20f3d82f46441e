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
/** What is due and was not pushed is locked by a reader; what is due sooner comes as late. */
const heldElsewhereMs = 50;

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
  /** Each project's are settled by themselves: a database that is away holds up no other. */
  readonly #settling: readonly WakeableLoop[];

  constructor(
    private readonly projects: readonly Project[],
    private readonly platform: PlatformDatabase,
    logger: Logger,
  ) {
    this.#pushes = projects.map(
      (project) => new WakeableLoop('Pushing messages of queues', () => this.push(project), logger),
    );
    this.#settling = projects.map(
      (project) => new WakeableLoop('Settling messages of queues', () => this.settle(project), logger),
    );
  }

  async start(): Promise<void> {
    const wake = (projectRef?: string) => {
      for (const [i, { ref }] of this.projects.entries()) {
        if (projectRef !== undefined && projectRef !== ref) continue;
        this.#pushes[i]!.wake();
        this.#settling[i]!.wake();
      }
    };
    // After a connection was lost it is told without a payload: then anybody's may have come.
    this.#stopListening.push(await this.platform.listen(queuesChannel, (ref) => wake(ref || undefined)));
    for (const [i, { database }] of this.projects.entries())
      this.#stopListening.push(await database.listen(queuesChannel, () => this.#pushes[i]!.wake()));
    wake();
  }

  async stop(): Promise<void> {
    for (const stopListening of this.#stopListening.splice(0)) await stopListening();
    await Promise.all(this.#loops().map((loop) => loop.stop()));
  }

  /** Pushes what is due in one project; returns in how many ms more is, or is to be looked for. */
  async push(project: Project): Promise<number> {
    await syncPushedQueues(this.platform, project);
    for (;;) {
      const { pushed, dueInMs } = await pushDueMessages(project);
      if (pushed === messageStepSize) continue;
      return Math.max(heldElsewhereMs, Math.min(dueInMs ?? sweepMs, sweepMs));
    }
  }

  /** Lets messages of one project follow their deliveries; returns in how many ms to look again. */
  async settle(project: Project): Promise<number> {
    let taken: number;
    do {
      taken = await this.platform.transaction(async (tx) => {
        const settled = await takeSettled(tx, project.ref);
        if (settled.messages.length > 0) await settleMessages(project.database, settled.messages);
        return settled.taken;
      });
    } while (taken === messageStepSize);
    return sweepMs;
  }

  #loops(): WakeableLoop[] {
    return [...this.#pushes, ...this.#settling];
  }
}
