import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expected, OperatorError, problemsInOneLine } from '#libs/platform';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';
import { unlessMissing } from './unless-missing.js';

/** The settings of `supabase/config.toml` that Galley follows; the others are named in `unused`. */
const configToml = z.object({
  api: z
    .object({
      port: z.number().int().optional(),
      schemas: z.array(z.string()).optional(),
      extra_search_path: z.array(z.string()).optional(),
      max_rows: z.number().int().optional(),
    })
    .optional(),
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
        static_files: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});
const galleyToml = z.strictObject(
  {
    functions: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
    webhooks: z.array(z.record(z.string(), z.unknown())).default([]),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown key ${issue.keys.map((key) => `"${key}"`).join(', ')}; expected functions, webhooks`
        : undefined,
  },
);

/** What the two settings files say. */
export interface Settings {
  readonly config: z.infer<typeof configToml>;
  /** Tables of galley.toml by function. */
  readonly galley: z.infer<typeof galleyToml>['functions'];
  /** `[[webhooks]]` of galley.toml, still to be validated. */
  readonly webhooks: z.infer<typeof galleyToml>['webhooks'];
  /** Keys of config.toml that have no effect here, e.g. `studio.enabled`. */
  readonly unused: readonly string[];
  /** Those of the two that are there. */
  readonly files: readonly string[];
}

/** @throws OperatorError naming the file and what is wrong with it. */
export async function readSettings(root: string): Promise<Settings> {
  const paths = { config: 'supabase/config.toml', galley: 'galley.toml' };
  const raw = await readToml(join(root, paths.config));
  const rawGalley = await readToml(join(root, paths.galley));
  const config = checked(join(root, paths.config), configToml, raw ?? {});
  const { functions, webhooks } = checked(join(root, paths.galley), galleyToml, rawGalley ?? {});
  return {
    config,
    galley: functions,
    webhooks,
    unused: unusedKeys(raw ?? {}, config).filter((key) => key !== 'project_id'),
    files: [...(raw ? [paths.config] : []), ...(rawGalley ? [paths.galley] : [])],
  };
}

async function readToml(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await unlessMissing(path, (file) => readFile(file, 'utf8'));
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (error) {
    const where = error instanceof TomlError ? ` (line ${error.line}, column ${error.column})` : '';
    throw new OperatorError(`${path} is not valid TOML${where}: ${(error as Error).message.split('\n')[0]}`);
  }
}

function checked<Schema extends z.ZodType>(path: string, schema: Schema, raw: unknown): z.output<Schema> {
  const parsed = schema.safeParse(raw, { error: expected });
  if (parsed.success) return parsed.data;
  throw new OperatorError(`${path} is wrong: ${problemsInOneLine(parsed.error)}`);
}

/** The paths of `raw` that the schema dropped. */
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
