import { Injectable } from '@nestjs/common';
import { AppError, type Project } from '#libs/platform';
import { limits } from '../limits.js';
import { SecretValues } from '../secret-values.js';
import { Webhooks } from '../webhooks.js';
import type { Webhook } from '../webhooks.sql.js';
import { SendRequest, type Answer } from './send-request.js';
import { signatureHeaders, signingKeys } from './signing-keys.js';

/** What a webhook is told. */
export interface Message {
  /** The same whenever it is told again. */
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const gone = 410;

/** Tells webhooks of events, signed as Standard Webhooks has it. */
@Injectable()
export class TellWebhook {
  constructor(
    private readonly webhooks: Webhooks,
    private readonly secrets: SecretValues,
    private readonly sendRequest: SendRequest,
  ) {}

  /**
   * @returns its answer; after 410 (Gone) it is told nothing more
   * @throws AppError `no_secret` (500), `invalid_webhook` (400), and as {@link SendRequest.send}
   */
  async tell(project: Project, webhook: Webhook, message: Message, signal: AbortSignal): Promise<Answer> {
    const { id, headers, body } = message;
    const value = (await this.secrets.values(project.ref, [webhook.secret])).get(webhook.secret);
    if (value === undefined) {
      const text = `The secret ${webhook.secret} that signs it is not set`;
      throw new AppError({ code: 'no_secret', status: 500, message: text });
    }
    const signature = signatureHeaders(signingKeys(webhook.secret, value), id, new Date(), body);
    const request = {
      method: 'POST',
      url: new URL(webhook.url),
      headers: { ...headers, ...signature },
      body,
      timeoutMs: limits.timeoutMs,
    };
    const answer = await this.sendRequest.send(request, signal);
    if (answer.status === gone) await this.webhooks.disable(project, webhook, 'It answered 410 (Gone)');
    return answer;
  }
}
