import { parseConfig, type Config } from './config.js';

/**
 * The only reader of `process.env`: a program calls it once.
 * @param beneath what holds where the environment says nothing (a project folder's config.toml)
 */
export function configFromEnvironment(beneath: Readonly<Record<string, string>> = {}): Config {
  const given = Object.entries(process.env).filter(([, value]) => value !== '');
  return parseConfig({ ...beneath, ...Object.fromEntries(given) });
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

/** How a client program (the CLI) finds a server, where the environment says so. */
export function clientFromEnvironment(): {
  url?: string;
  publishableKey?: string;
  secretKey?: string;
  accessToken?: string;
} {
  const {
    GALLEY_URL,
    GALLEY_ACCESS_TOKEN: accessToken,
    SUPABASE_URL,
    SUPABASE_PUBLISHABLE_KEY: publishableKey,
    SUPABASE_SECRET_KEY: secretKey,
  } = process.env;
  const url = GALLEY_URL || SUPABASE_URL;
  return {
    ...(url && { url }),
    ...(publishableKey && { publishableKey }),
    ...(secretKey && { secretKey }),
    ...(accessToken && { accessToken }),
  };
}
