import { lookup, Resolver } from 'node:dns/promises';
import { limits } from '../limits.js';

/**
 * Asks the name servers of this host, by none of the few threads on which getaddrinfo(3) and all work with files run: a
 * function may name servers of its own as those of a name, which answer as late as they like.
 */
export async function addressesOfName(name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: limits.nameServerMs, tries: 2 });
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

/** Of a name that the operator vouches for; it may be known to this host alone. */
export async function addressesInHosts(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true }).catch(() => []);
  return found.map(({ address }) => address);
}
