import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';

/**
 * Splits a raw query string into its parameters in their order, repeated ones included: `id=gt.1&id=lt.9`
 * are two filters. `+` is a space, as in forms.
 *
 * @throws AppError PGRST100 when it is too long, not UTF-8, or holds a NUL (which PostgreSQL cannot store).
 */
export function parseQueryString(query: string): [name: string, value: string][] {
  if (query.length > limits.queryBytes) throw limitError('bytes in its query string', limits.queryBytes);
  const parameters: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    // A bare name has no value and filters nothing.
    if (equals === -1) continue;
    parameters.push([decode(part.slice(0, equals)), decode(part.slice(equals + 1))]);
  }
  return parameters;
}

function decode(encoded: string): string {
  if (!/[%+\0]/.test(encoded)) return encoded;
  let text: string;
  try {
    // A percent sign that begins no code stands for itself, as in `like.50%`.
    text = decodeURIComponent(encoded.replaceAll('+', ' ').replaceAll(/%(?![\da-f]{2})/gi, '%25'));
  } catch (cause) {
    throw pgrstError('PGRST100', {
      message: 'The query string is not valid percent-encoded UTF-8',
      details: encoded,
      cause,
    });
  }
  if (text.includes('\0')) {
    throw pgrstError('PGRST100', { message: 'The query string contains a NUL character', details: encoded });
  }
  return text;
}
