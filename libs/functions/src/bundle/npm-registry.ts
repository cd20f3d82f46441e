import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '#libs/platform';

let known: Promise<string | null> | null = null;

/**
 * The npm registry that this host uses, or null when that is not known and Deno shall choose. Deno reads `NPM_CONFIG_REGISTRY` and
 * `~/.npmrc`, but not npm's global configuration; a server started by npm has the variable, for any other npm is
 * asked, once.
 */
export function npmRegistry(): Promise<string | null> {
  const given = inheritedEnvironment()['NPM_CONFIG_REGISTRY'];
  if (given) return Promise.resolve(given);
  known ??= promisify(execFile)('npm', ['config', 'get', 'registry'], {
    env: inheritedEnvironment(),
    timeout: 10_000,
  }).then(
    ({ stdout }) => (URL.canParse(stdout.trim()) ? stdout.trim() : null),
    // Without npm there is no configuration of it either.
    () => null,
  );
  return known;
}
