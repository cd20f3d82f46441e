/**
 * What a delivery is for, as it stands in `function_slug`: a function by its name, or, with a dot, which no function's
 * name has, a webhook or the host of a URL. Each target has a queue of its own, so that a slow one delays no other.
 */
export function isFunctionTarget(target: string): boolean {
  return !target.includes('.');
}

export function webhookTarget(name: string): string {
  return `webhook.${name}`;
}

/** The name of the webhook; undefined when the target is none. */
export function webhookOfTarget(target: string): string | undefined {
  return target.startsWith('webhook.') ? target.slice('webhook.'.length) : undefined;
}

/** Characters of a host in the name of its target: queues are named after it. */
const hostChars = 200;

export function urlTarget({ host }: URL): string {
  return `url.${host.replace(/[^a-z0-9.-]/gi, '_').slice(0, hostChars)}`;
}
