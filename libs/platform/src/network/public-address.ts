import ipaddr from 'ipaddr.js';

/**
 * IPv6 ranges that carry an IPv4 address, which is the one that answers in the end: IPv4-compatible (RFC 4291), NAT64 (RFC 6052, and its local-use
 * prefix, RFC 8215), 6to4 (RFC 3056) and Teredo (RFC 4380).
 */
const translations = ['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', '2001::/32'].map((range) =>
  ipaddr.parseCIDR(range),
);

/**
 * True for an address of the public internet, by the registries of special addresses of the IANA. Loopback, private,
 * link-local (where clouds keep their credentials), unique local, shared, multicast and reserved ones are not, nor is
 * any IPv6 address that stands for an IPv4 one.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast') return false;
  if (address.kind() === 'ipv4') return true;
  return !translations.some(([range, bits]) => range.kind() === 'ipv6' && address.match(range, bits));
}
