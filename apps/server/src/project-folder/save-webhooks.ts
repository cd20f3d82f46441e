import { AppError, type Logger, type Project } from '#libs/platform';
import type { Webhooks } from '#libs/webhooks';
import type { ProjectFolder } from './read-project-folder.js';

/** What making a folder's webhooks needs. */
export interface WebhooksContext {
  readonly project: Project;
  readonly webhooks: Webhooks;
  readonly logger: Logger;
}

/**
 * Makes the webhooks of galley.toml what it says. One that cannot be is told of, and neither the others nor what it was
 * before are touched by that. One that left the file stays: it may have come by the management API.
 */
export async function saveWebhooks(context: WebhooksContext, folder: ProjectFolder): Promise<void> {
  const { project, webhooks, logger } = context;
  for (const webhook of folder.webhooks) {
    try {
      const { name, disabledReason } = await webhooks.save(project, webhook);
      if (disabledReason !== null)
        logger.warn({ webhook: name, reason: disabledReason }, `The webhook ${name} is disabled`);
    } catch (error) {
      const expected = error instanceof AppError;
      const reason = (error as Error).message;
      const name = String(webhook['name']);
      logger.error(
        { webhook: name, reason, ...(!expected && { err: error }) },
        `The webhook ${name} was not saved`,
      );
    }
  }
}
