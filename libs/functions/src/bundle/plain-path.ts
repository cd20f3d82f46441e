import { bundleLimits as limits } from './bundle-limits.js';

/** Relative, with `/`, without `.` or `..` parts or characters that mean something in a command line or URL. */
export function isPlainPath(path: string): boolean {
  if (path.length === 0 || path.length > limits.pathChars) return false;
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\\:*?"<>|%#]/.test(path) || path.startsWith('-')) return false;
  return path.split('/').every(isPlainPart);
}

function isPlainPart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= limits.pathPartBytes;
}
