import { AppError } from '#libs/platform';
import { createHmac } from 'node:crypto';
import { limits } from '../limits.js';

const { min, max } = limits.signingKeyBytes;

/**
 * The keys in a secret's value: `whsec_` and base64, as Standard Webhooks writes them, or two of them with a space
 * between while one replaces the other. Each message is signed with each.
 * @param name of the secret: its value is never told
 * @throws AppError `invalid_webhook` (400)
 */
export function signingKeys(name: string, value: string): Buffer[] {
  const texts = value.trim().split(/\s+/);
  const keys = texts.map((text) =>
    Buffer.from(/^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1] ?? '', 'base64'),
  );
  const isWell =
    keys.length <= limits.signingKeys && keys.every(({ length }) => length >= min && length <= max);
  if (isWell) return keys;
  throw new AppError({
    code: 'invalid_webhook',
    status: 400,
    message:
      `secret: the value of ${name} is no key of Standard Webhooks: expected whsec_ and ${min} to ${max} bytes in ` +
      `base64, or ${limits.signingKeys} such keys with a space between`,
    hint: 'Make one: echo whsec_$(openssl rand -base64 32)',
  });
}

/**
 * The headers that Standard Webhooks adds to a message.
 * @param id the same whenever the message is sent again
 */
export function signatureHeaders(
  keys: readonly Buffer[],
  id: string,
  at: Date,
  body: Buffer,
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signatures = keys.map((key) =>
    createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64'),
  );
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.map((signature) => `v1,${signature}`).join(' '),
  };
}
