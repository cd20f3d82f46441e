import { isPublicAddress } from '#libs/platform';
import { isIP } from 'node:net';

/** Why a destination is refused that nobody declared. */
export const notDeclared = 'it is not among permissions.hosts';
export const notPublic =
  'it has an address that is not public; the operator can allow it with GALLEY_PRIVATE_HOSTS';

/** `host:port` as a manifest writes it; the port may not be known. */
export function destinationOf(host: string, port?: number): string {
  const text = isIP(host) === 6 ? `[${host}]` : host;
  return port === undefined ? text : `${text}:${port}`;
}

/** What the log of a function says of a destination that it was refused, with what its author can do about it. */
export function refusalMessage(destination: string, why: string): string {
  const refused = `A connection to ${destination} was refused: ${why}.`;
  if (why !== notDeclared) return refused;
  const entry = destination.replace(/:(?:443|80)$/, '');
  const address = entry.startsWith('[') ? entry.slice(1, entry.indexOf(']')) : entry.replace(/:\d+$/, '');
  const isPrivate = isIP(address) > 0 && !isPublicAddress(address);
  const operator = isPrivate
    ? '; since it is not public, the operator must allow it with GALLEY_PRIVATE_HOSTS'
    : '';
  return `${refused} To allow it, add "${entry}" there${operator}.`;
}
