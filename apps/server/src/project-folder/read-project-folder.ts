import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { OperatorError, problemsInOneLine, type Migration } from '#libs/platform';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';

/** The settings of `supabase/config.toml` that Galley follows; the others are named in `unused`. */
const configToml = z.object({
  api: z.object({ port: z.number().int().optional() }).optional(),
  auth: z
    .object({
      jwt_expiry: z.number().int().optional(),
      enable_signup: z.boolean().optional(),
    })
    .optional(),
  db: z
    .object({
      seed: z
        .object({ enabled: z.boolean().optional(), sql_paths: z.array(z.string()).optional() })
        .optional(),
    })
    .optional(),
  functions: z
    .record(
      z.string(),
      z.object({
        enabled: z.boolean().optional(),
        verify_jwt: z.boolean().optional(),
        entrypoint: z.string().optional(),
        import_map: z.string().optional(),
      }),
    )
    .optional(),
});

/** A function as the folder describes it. */
export interface FolderFunction {
  readonly slug: string;
  /** Relative to `supabase/`. */
  readonly entrypoint: string;
  readonly importMap: string | undefined;
  /** Its table in galley.toml, with `verify_jwt` of config.toml; still to be validated. */
  readonly manifest: Record<string, unknown>;
}

/** A Supabase-style project folder, read. */
export interface ProjectFolder {
  readonly root: string;
  /** Settings of config.toml by the names of the environment variables that stand above them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly migrations: readonly Migration[];
  /** Seed files in their order. */
  readonly seeds: readonly Migration[];
  readonly functions: readonly FolderFunction[];
  /** Keys of config.toml, and files, that have no effect here. */
  readonly unused: readonly string[];
}

/**
 * Reads `supabase/config.toml`, `supabase/migrations`, the seed files, `supabase/functions` and `galley.toml`.
 * @throws OperatorError naming the file and what is wrong with it.
 */
export async function readProjectFolder(path: string): Promise<ProjectFolder> {
  const root = resolve(path);
  const supabase = join(root, 'supabase');
  if (!existsSync(supabase)) {
    throw new OperatorError(`${root} is not a project folder: it has no folder \`supabase\`.`);
  }
  const raw = await readToml(join(supabase, 'config.toml'));
  const parsed = configToml.safeParse(raw);
  if (!parsed.success) {
    throw new OperatorError(
      `${join(supabase, 'config.toml')} is wrong: ${problemsInOneLine(parsed.error)}. Mend it and start again.`,
    );
  }
  const config = parsed.data;
  const galley = await readGalleyToml(join(root, 'galley.toml'));
  return {
    root,
    environment: environmentOf(config),
    migrations: await readMigrations(join(supabase, 'migrations')),
    seeds: config.db?.seed?.enabled === false ? [] : await readSeeds(supabase, config.db?.seed?.sql_paths),
    functions: await findFunctions(supabase, config.functions ?? {}, galley),
    unused: [...unusedKeys(raw, config).filter((key) => key !== 'project_id'), ...unusedFiles(supabase)],
  };
}

async function readToml(path: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    return parse(text);
  } catch (error) {
    const where = error instanceof TomlError ? ` (line ${error.line}, column ${error.column})` : '';
    throw new OperatorError(`${path} is not valid TOML${where}: ${(error as Error).message.split('\n')[0]}`);
  }
}

async function readGalleyToml(path: string): Promise<Record<string, Record<string, unknown>>> {
  const schema = z.strictObject({
    functions: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  });
  const parsed = schema.safeParse(await readToml(path));
  if (!parsed.success)
    throw new OperatorError(`${path} is wrong: ${problemsInOneLine(parsed.error)}. Mend it and start again.`);
  return parsed.data.functions;
}

function environmentOf(config: z.infer<typeof configToml>): Record<string, string> {
  const environment: Record<string, string> = {};
  if (config.api?.port !== undefined) environment['PORT'] = String(config.api.port);
  if (config.auth?.jwt_expiry !== undefined) environment['JWT_EXPIRY'] = String(config.auth.jwt_expiry);
  if (config.auth?.enable_signup !== undefined)
    environment['DISABLE_SIGNUP'] = String(!config.auth.enable_signup);
  return environment;
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.sql')).toSorted();
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

/** Files below `directory` that a pattern with `*` and `**` names. */
async function matchingPaths(directory: string, pattern: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => matchesGlob(path, pattern))
    .toSorted();
}

/** `*` stands for anything within one folder's or file's name, `**` for any folders. */
function matchesGlob(path: string, pattern: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(
      /\*\*\/|\*\*|\*|\?/g,
      (sign) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[sign]!,
    );
  return new RegExp(`^${expression}$`).test(path);
}

async function findFunctions(
  supabase: string,
  settings: NonNullable<z.infer<typeof configToml>['functions']>,
  galley: Record<string, Record<string, unknown>>,
): Promise<FolderFunction[]> {
  const entries = await readdir(join(supabase, 'functions'), { withFileTypes: true }).catch(() => []);
  const slugs = entries
    .filter((entry) => entry.isDirectory() && /^[a-zA-Z]/.test(entry.name))
    .map((entry) => basename(entry.name));
  for (const slug of [...Object.keys(galley), ...Object.keys(settings)]) {
    if (!slugs.includes(slug)) {
      throw new OperatorError(
        `A function \`${slug}\` is configured, but there is no folder supabase/functions/${slug}.`,
      );
    }
  }
  return slugs
    .filter((slug) => settings[slug]?.enabled !== false)
    .map((slug) => {
      const { verify_jwt: verifyJwt, entrypoint, import_map: importMap } = settings[slug] ?? {};
      return {
        slug,
        entrypoint: entrypoint?.replace(/^\.\//, '') ?? `functions/${slug}/index.ts`,
        importMap: importMap?.replace(/^\.\//, ''),
        manifest: { ...(verifyJwt !== undefined && { verify_jwt: verifyJwt }), ...galley[slug] },
      };
    });
}

/** The Supabase CLI's place for local secrets: here a function gets those that it declares, and from the vault. */
function unusedFiles(supabase: string): string[] {
  return existsSync(join(supabase, 'functions', '.env')) ? ['functions/.env'] : [];
}

/** The paths of `raw` that the schema dropped, e.g. `studio.enabled`. */
function unusedKeys(raw: unknown, used: unknown, path = ''): string[] {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return used === undefined ? [path] : [];
  return Object.entries(raw).flatMap(([key, value]) =>
    unusedKeys(
      value,
      (used as Record<string, unknown> | undefined)?.[key],
      path === '' ? key : `${path}.${key}`,
    ),
  );
}
