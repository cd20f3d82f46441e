import { isIP } from 'node:net';
import { AppError } from '../errors/app-error.js';
import { addressesInHosts, addressesOfName } from './addresses-of-name.js';
import type { DeclaredHosts } from './declared-hosts.js';
import { isPublicAddress } from './public-address.js';

/**
 * The addresses that a host may be dialled at, for a request to wherever somebody says: all that it has, and each of them
 * is public, unless the operator vouches for the host. Dial these and ask for no name again: it may answer otherwise.
 * @param host a name, or an address without brackets
 * @throws AppError `address_refused` (403), `no_address` (502)
 */
export async function vettedAddresses(
  host: string,
  port: number,
  privateHosts: DeclaredHosts,
  addressesOf: (name: string) => Promise<string[]> = addressesOfName,
): Promise<string[]> {
  const isPrivate = privateHosts.permits(host, port);
  const addresses = isIP(host) > 0 ? [host] : await (isPrivate ? addressesInHosts : addressesOf)(host);
  if (addresses.length === 0) {
    throw new AppError({ code: 'no_address', status: 502, message: `${host} has no address` });
  }
  if (isPrivate || addresses.every(isPublicAddress)) return addresses;
  throw new AppError({
    code: 'address_refused',
    status: 403,
    message: `${host} has an address that is not public; the operator can allow it with GALLEY_PRIVATE_HOSTS`,
  });
}
