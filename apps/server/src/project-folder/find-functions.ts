import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '#libs/platform';
import { packagesFolder } from './function-sources.js';
import { targetOf } from './link-target.js';
import type { Settings } from './read-settings.js';
import { unlessMissing } from './unless-missing.js';

/** A function as the folder describes it. */
export interface FolderFunction {
  readonly slug: string;
  /** Relative to `supabase/`. */
  readonly entrypoint: string;
  readonly importMap: string | undefined;
  /** `static_files` of config.toml: relative to `supabase/`, as the sources' paths are. */
  readonly staticPatterns: readonly string[];
  /** Its table in galley.toml, with `verify_jwt` of config.toml; still to be validated. */
  readonly manifest: Record<string, unknown>;
}

export interface FoundFunctions {
  readonly functions: readonly FolderFunction[];
  /** Those that config.toml switches off with `enabled = false`. */
  readonly disabled: readonly string[];
  /** Folders that hold no function, and why. */
  readonly unused: readonly string[];
}

/** @throws OperatorError when settings name a function that has no folder. */
export async function findFunctions(root: string, settings: Settings): Promise<FoundFunctions> {
  const { config, galley } = settings;
  const configured = config.functions ?? {};
  const { folders, outside } = await foldersOf(root);
  for (const slug of [...Object.keys(galley), ...Object.keys(configured)]) {
    if (folders.includes(slug)) continue;
    throw new OperatorError(
      `A function \`${slug}\` is configured, but there is no folder supabase/functions/${slug}.`,
    );
  }
  const all = folders.map((slug): FolderFunction => {
    const { verify_jwt: verifyJwt, entrypoint, import_map: importMap, ...rest } = configured[slug] ?? {};
    return {
      slug,
      entrypoint: entrypoint?.replace(/^\.\//, '') ?? `functions/${slug}/index.ts`,
      importMap: importMap?.replace(/^\.\//, ''),
      staticPatterns: rest.static_files ?? [],
      manifest: { ...(verifyJwt !== undefined && { verify_jwt: verifyJwt }), ...galley[slug] },
    };
  });
  // A folder that settings speak of is meant to be a function: deploying it tells what is missing.
  const isFunction = ({ slug, entrypoint }: FolderFunction) =>
    slug in configured || slug in galley || existsSync(join(root, 'supabase', entrypoint));
  const disabled = folders.filter((slug) => configured[slug]?.enabled === false);
  return {
    functions: all.filter((fn) => isFunction(fn) && !disabled.includes(fn.slug)),
    disabled,
    unused: [...all.filter((fn) => !isFunction(fn)).map((fn) => `${fn.entrypoint} (missing)`), ...outside],
  };
}

async function foldersOf(root: string): Promise<{ folders: string[]; outside: string[] }> {
  const directory = join(root, 'supabase', 'functions');
  const entries = (await unlessMissing(directory, (path) => readdir(path, { withFileTypes: true }))) ?? [];
  const folders: string[] = [];
  const outside: string[] = [];
  const named = entries.filter(({ name }) => /^[a-zA-Z]/.test(name) && name !== packagesFolder);
  for (const entry of named) {
    const { kind } = await targetOf(await realpath(root), join(directory, entry.name), entry);
    if (kind === 'folder') folders.push(entry.name);
    if (kind === 'outside') outside.push(`functions/${entry.name} (leads out of the project folder)`);
  }
  return { folders: folders.toSorted(), outside };
}
