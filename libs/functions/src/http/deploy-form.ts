import { AppError, parseInput, readBody } from '#libs/platform';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { DeployRequest } from '../deploy/deploy-function.js';
import { limits } from '../limits.js';
import { parseManifest } from '../manifest/manifest.js';
import { checkSlug } from '../manifest/slug.js';
import { invalidRequest } from './function-errors.js';

/** What people see of a function beside its slug. */
export const functionName = z
  .string()
  .min(1)
  .max(limits.nameChars)
  .regex(/^\P{Cc}*$/u);

/** Supabase checks no types when it deploys: what deploys there, and says nothing of Galley's settings, does so here. */
export const unchecked = { check: false };

/** The `metadata` part of a deployment, as Supabase's CLI sends it; the manifest is under `galley`. */
const metadataSchema = z.strictObject({
  entrypoint_path: z.string(),
  name: functionName.optional(),
  verify_jwt: z.boolean().optional(),
  import_map_path: z.string().nullish(),
  static_patterns: z.array(z.string()).nullish(),
  galley: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Reads a deployment: a multipart form with the part `metadata` and one part `file` for each source file, whose
 * `filename` is its path. Paths and sizes are judged where the function is bundled.
 * @param manifestInService the manifest of the function as it is. It stays where the form says nothing of it: Supabase's
 *   CLI knows of `verify_jwt` alone, and must not take a function's limits and permissions away.
 * @throws AppError `invalid_request`, `invalid_manifest`, `invalid_slug` (400), `body_too_large` (413)
 */
export async function readDeployForm(
  body: unknown,
  contentType: string | undefined,
  slug: string | undefined,
  manifestInService: (slug: string) => Promise<unknown> = async () => undefined,
): Promise<DeployRequest> {
  if (!contentType?.startsWith('multipart/form-data')) {
    throw invalidRequest('Expected a multipart/form-data body with the parts `metadata` and `file`');
  }
  const form = await parseForm(await readBody(body as Readable, limits.deployBodyBytes), contentType);
  const metadata = await readMetadata(form);
  const ownSlug = checkSlug(requiredSlug(slug ?? metadata.name));
  const { verify_jwt, galley } = metadata;
  const { entrypoint_path: entrypoint, import_map_path: importMap, static_patterns: patterns } = metadata;
  return {
    slug: ownSlug,
    ...(metadata.name !== undefined && metadata.name !== ownSlug && { name: metadata.name }),
    files: await readFiles(form),
    entrypoint: withoutDot(entrypoint),
    importMap: importMap ? withoutDot(importMap) : undefined,
    staticPatterns: patterns ?? [],
    manifest: parseManifest(ownSlug, {
      ...(galley === undefined && { ...((await manifestInService(ownSlug)) as object), ...unchecked }),
      ...(verify_jwt !== undefined && { verify_jwt }),
      ...galley,
    }),
  };
}

/** @throws AppError `invalid_slug` (400) */
export function requiredSlug(slug: string | undefined): string {
  if (slug !== undefined) return slug;
  throw new AppError({ code: 'invalid_slug', status: 400, message: 'slug is missing' });
}

async function parseForm(body: Buffer, contentType: string): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw invalidRequest('The body is not a well-formed multipart/form-data', cause);
  }
}

async function readMetadata(form: FormData): Promise<z.infer<typeof metadataSchema>> {
  const part = form.get('metadata');
  const text = part === null || typeof part === 'string' ? part : await part.text();
  let metadata: unknown;
  try {
    metadata = JSON.parse(text ?? '');
  } catch {
    throw invalidRequest('Expected a part `metadata` that is JSON');
  }
  return parseInput(z.object({ metadata: metadataSchema }), { metadata }).metadata;
}

async function readFiles(form: FormData): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const part of form.getAll('file')) {
    if (typeof part === 'string') throw invalidRequest('Each part `file` needs a filename: its path');
    const path = withoutDot(part.name);
    if (files.has(path)) throw invalidRequest(`The file ${path} was sent twice`);
    files.set(path, new Uint8Array(await part.arrayBuffer()));
  }
  return files;
}

/** Supabase's CLI may write `./index.ts`. */
function withoutDot(path: string): string {
  return path.replace(/^\.\//, '');
}
