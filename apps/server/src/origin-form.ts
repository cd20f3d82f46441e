import type { IncomingMessage } from 'node:http';

/**
 * The target of a request without the origin that it may begin with (RFC 9112 §3.2.2). The router looks for the path
 * behind it, so all else that reads a URL must find it there, too.
 */
export function originForm({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  const rest = /^https?:\/\/[^/?#]+(?=[/?]|$)(.*)$/is.exec(url)?.[1];
  if (rest === undefined) return url;
  return rest.startsWith('/') ? rest : `/${rest}`;
}
