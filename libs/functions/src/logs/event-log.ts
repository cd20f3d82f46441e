import { Inject, Injectable } from '@nestjs/common';
import type { Delivery } from '#libs/events';
import { AppError, LOGGER, type Logger, type Project } from '#libs/platform';
import { ActiveDeployments } from '../invoke/active-deployments.js';
import { FunctionLogs } from './function-logs.js';
import type { LogLevel } from './log-lines.sql.js';

/** One try to deliver an event that came to nothing. */
export interface FailedAttempt {
  readonly invocationId: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** That the function's manifest allows; 0 when it was not asked. */
  readonly maxAttempts: number;
  readonly error: string;
  /** Until the next try; null when there is none. */
  readonly retryInMs: number | null;
}

/**
 * Tells in a function's log of its events that failed, where its author looks: what it wrote itself says neither that
 * it was an event, nor that the answer was taken for a failure, nor what comes next.
 */
@Injectable()
export class EventLog {
  constructor(
    private readonly deployments: ActiveDeployments,
    private readonly logs: FunctionLogs,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async tellFailure(project: Project, delivery: Delivery, failed: FailedAttempt): Promise<void> {
    const { invocationId, attempt, maxAttempts, error, retryInMs } = failed;
    const count = maxAttempts === 0 ? `${attempt}` : `${attempt} of ${maxAttempts}`;
    if (retryInMs === null) {
      const end = `is a dead letter after attempt ${count}: ${error}`;
      return this.#tellDead(project, delivery, end, invocationId);
    }
    const next = `The next one comes in ${Math.round(retryInMs / 100) / 10} s.`;
    await this.#tell(project, delivery, {
      level: 'warn',
      message: `${nameOf(delivery)}: attempt ${count} failed: ${sentence(error)} ${next}`,
      invocationId,
    });
  }

  /** Of an event that is not carried to the function at all. */
  async tellRefusal(project: Project, delivery: Delivery, refusal: string): Promise<void> {
    await this.#tellDead(project, delivery, `is a dead letter: ${refusal}`, null);
  }

  #tellDead(project: Project, delivery: Delivery, end: string, invocationId: string | null): Promise<void> {
    const again = `To try it again: POST /v1/projects/${project.ref}/deliveries/${delivery.id}/redrive`;
    const message = `${nameOf(delivery)} ${sentence(end)} ${again}`;
    return this.#tell(project, delivery, { level: 'error', message, invocationId });
  }

  /** Never rejects: a line that is not written must not hold up the event. */
  async #tell(
    project: Project,
    { functionSlug, eventId }: Delivery,
    line: { level: LogLevel; message: string; invocationId: string | null },
  ): Promise<void> {
    const at = new Date();
    try {
      const { id } = await this.deployments.find(project, functionSlug, { eventId });
      const origin = { projectRef: project.ref, functionSlug, deploymentId: id };
      this.logs.add({ ...origin, source: 'platform', at, ...line });
    } catch (error) {
      // A function that is gone has no log any more.
      if (error instanceof AppError) return;
      this.logger.warn({ err: error, function: functionSlug }, 'A failed event could not be told in the log');
    }
  }
}

function nameOf({ eventName, eventId }: Delivery): string {
  return `Event ${eventName} (${eventId})`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
