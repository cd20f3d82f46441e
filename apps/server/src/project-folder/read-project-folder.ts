import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { matchesGlob, OperatorError, type Migration } from '#libs/platform';
import { findFunctions, type FoundFunctions } from './find-functions.js';
import { readSettings, type Settings } from './read-settings.js';
import { unlessMissing } from './unless-missing.js';

/** A Supabase-style project folder, read. */
export interface ProjectFolder extends FoundFunctions {
  readonly root: string;
  /** Settings of config.toml by the names of the environment variables that stand above them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly migrations: readonly Migration[];
  /** Seed files in their order. */
  readonly seeds: readonly Migration[];
  /** `[[webhooks]]` of galley.toml, still to be validated. */
  readonly webhooks: readonly Record<string, unknown>[];
  /** Keys of config.toml, files and folders that have no effect here. */
  readonly unused: readonly string[];
  /** `supabase/config.toml` and `galley.toml`, as far as they are there. */
  readonly settingsFiles: readonly string[];
}

/**
 * Reads `supabase/config.toml`, `supabase/migrations`, the seed files, `supabase/functions` and `galley.toml`.
 * @param howToName said where `path` is no project folder
 * @throws OperatorError naming the file and what is wrong with it.
 */
export async function readProjectFolder(path: string, howToName = ''): Promise<ProjectFolder> {
  const root = resolve(path);
  const supabase = join(root, 'supabase');
  if (!existsSync(supabase)) {
    throw new OperatorError(`${root} is not a project folder: it has no folder \`supabase\`.${howToName}`);
  }
  const settings = await readSettings(root);
  const { config } = settings;
  const found = await findFunctions(root, settings);
  return {
    root,
    environment: environmentOf(config),
    migrations: await readMigrations(join(supabase, 'migrations')),
    seeds: config.db?.seed?.enabled === false ? [] : await readSeeds(supabase, config.db?.seed?.sql_paths),
    webhooks: settings.webhooks,
    functions: found.functions,
    disabled: found.disabled,
    unused: [...settings.unused, ...found.unused, ...unusedFiles(supabase)],
    settingsFiles: settings.files,
  };
}

function environmentOf(config: Settings['config']): Record<string, string> {
  const environment: Record<string, string> = {};
  const { port, schemas, extra_search_path: searchPath, max_rows: maxRows } = config.api ?? {};
  if (port !== undefined) environment['PORT'] = String(port);
  if (schemas !== undefined) environment['PGRST_DB_SCHEMAS'] = schemas.join(',');
  if (searchPath !== undefined) environment['PGRST_DB_EXTRA_SEARCH_PATH'] = searchPath.join(',');
  if (maxRows !== undefined) environment['PGRST_DB_MAX_ROWS'] = String(maxRows);
  if (config.auth?.jwt_expiry !== undefined) environment['JWT_EXPIRY'] = String(config.auth.jwt_expiry);
  if (config.auth?.enable_signup !== undefined)
    environment['DISABLE_SIGNUP'] = String(!config.auth.enable_signup);
  return environment;
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const entries = (await unlessMissing(directory, (path) => readdir(path))) ?? [];
  const names = entries.filter((name) => name.endsWith('.sql')).toSorted();
  const unnumbered = names.find((name) => !/^\d+_.+\.sql$/.test(name));
  if (unnumbered) {
    throw new OperatorError(
      `${join(directory, unnumbered)} is not named as a migration: expected <number>_<what it does>.sql.`,
    );
  }
  return Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(join(directory, name), 'utf8') })),
  );
}

/** Seed files in the order of their patterns, and by name within one, as the Supabase CLI takes them. */
async function readSeeds(supabase: string, patterns: readonly string[] | undefined): Promise<Migration[]> {
  const seeds: Migration[] = [];
  for (const pattern of patterns ?? ['./seed.sql']) {
    const paths = await matchingPaths(supabase, pattern.replace(/^\.\//, ''));
    if (paths.length === 0 && patterns) {
      throw new OperatorError(
        `supabase/config.toml names the seed ${pattern}, but no file of that name is in ${supabase}.`,
      );
    }
    for (const path of paths) {
      if (seeds.some((seed) => seed.name === path)) continue;
      seeds.push({ name: path, sql: await readFile(join(supabase, path), 'utf8') });
    }
  }
  return seeds;
}

/** Files below `directory` that a pattern with `*` names. */
async function matchingPaths(directory: string, pattern: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => matchesGlob(path, pattern))
    .toSorted();
}

/** The Supabase CLI's place for local secrets: here a function gets those that it declares, and from the vault. */
function unusedFiles(supabase: string): string[] {
  return existsSync(join(supabase, 'functions', '.env')) ? ['functions/.env'] : [];
}
