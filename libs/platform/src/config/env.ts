import { parseConfig, type Config } from './config.js';

/** The only reader of `process.env`: programs call it once, in their `main.ts`. */
export function configFromEnvironment(): Config {
  return parseConfig(process.env);
}

/**
 * What child processes (PostgreSQL, `deno bundle`) may see of our environment: where programs are found, the
 * locale, temporary files and npm's registry settings. None of it is secret.
 */
export function inheritedEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
  const inherited: Record<string, string> = {};
  for (const name of names) if (process.env[name]) inherited[name] = process.env[name];
  const registry = process.env['NPM_CONFIG_REGISTRY'] ?? process.env['npm_config_registry'];
  if (registry) inherited['NPM_CONFIG_REGISTRY'] = registry;
  return inherited;
}
