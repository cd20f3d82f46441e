import { AppError } from '#libs/platform';
import { bundleLimits as limits } from './bundle-limits.js';

/** Mistakes in the sources, as `BUNDLE_ERROR` (400): one text each, with `file:line:column` first where known. */
export function bundleError(errors: readonly string[]): AppError {
  const text = errors.join('\n').trim() || 'The function could not be bundled.';
  return new AppError({ code: 'BUNDLE_ERROR', status: 400, message: text.slice(0, limits.errorChars) });
}

// eslint-disable-next-line no-control-regex
const terminalColors = /\u001b\[[0-9;]*m/g;

/** `…/cache/deno/npm/<registry>/bcrypt/5.1.1/bcrypt.js`, absolute or from where the tool runs. */
const cachedPackage =
  /(?:file:\/\/)?[^\s"'`]*\/cache\/deno\/npm\/[^/\s]+\/((?:@[^/\s]+\/)?[^/\s]+)\/(\d[^/\s]*)\//g;
const cached = /(?:file:\/\/)?[^\s"'`]*\/cache\/deno\//g;

/** Compiler output with paths as the author knows them: of the sources, and `npm:bcrypt@5.1.1/bcrypt.js`. */
export function cleanOutput(text: string, directory: string): string {
  return text
    .replace(terminalColors, '')
    .replaceAll(`file://${directory}/`, '')
    .replaceAll(`${directory}/`, '')
    .replace(cachedPackage, 'npm:$1@$2/')
    .replace(cached, '');
}
