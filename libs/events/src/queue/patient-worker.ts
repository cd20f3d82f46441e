import { Worker, type Job } from 'bullmq';
import { backoffMs } from '#libs/platform';
import { setTimeout as delay } from 'node:timers/promises';

/** BullMQ's worker, where it asks too often and tells too much. */
export class PatientWorker extends Worker {
  #failures = 0;
  readonly #closing = new AbortController();

  /** What is put off, its lock given back, is not the worker's any more. */
  letGo(jobId: string): void {
    this.lockManager.untrackJob(jobId);
  }

  /**
   * Waits before it fails. BullMQ asks again at once, save for what it takes for a lost connection: a PostgreSQL whose
   * socket or files are gone would be asked, and its answer logged, thousands of times a second.
   */
  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    try {
      const job = await super.moveToActive(token, name);
      this.#failures = 0;
      return job;
    } catch (error) {
      await this.#backOff();
      throw error;
    }
  }

  /** Of BullMQ's own delays, the one after it could not wait for a job has no length. */
  override delay(...[timeMs, abort]: Parameters<Worker['delay']>): Promise<void> {
    return timeMs === undefined ? this.#backOff() : super.delay(timeMs, abort);
  }

  /** The locks of jobs that ended while this was asked are gone with them: nothing has failed. */
  override async extendJobLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    const lost = await super.extendJobLocks(jobIds, tokens, duration);
    const held = new Set(this.lockManager.getTrackedJobIds());
    return lost.filter((id) => held.has(id));
  }

  async #backOff(): Promise<void> {
    const { signal } = this.#closing;
    await delay(backoffMs(this.#failures++), undefined, { signal }).catch(() => {});
  }

  override close(force?: boolean): Promise<void> {
    this.#closing.abort();
    return super.close(force);
  }
}
