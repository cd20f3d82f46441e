/** Where a message ends, and what stands between two machines alone (RFC 9110 §7.6.1, RFC 9112 §6). */
const framingHeaders = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether the server alone says it: a function that did would break the response apart. */
export function isFramingHeader(name: string): boolean {
  const lowerCase = name.toLowerCase();
  return framingHeaders.has(lowerCase) || /^proxy-(?!status$)/.test(lowerCase);
}
