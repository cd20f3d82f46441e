import { AppError, readBody } from '#libs/platform';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { DeployRequest } from '../deploy/deploy-function.js';
import { limits } from '../limits.js';
import { parseManifest } from '../manifest/manifest.js';
import { checkSlug } from '../manifest/slug.js';
import { invalidRequest } from './require-project.js';

/** The `metadata` part of a deployment, as Supabase's CLI sends it; the manifest is under `galley`. */
const metadataSchema = z.strictObject({
  entrypoint_path: z.string(),
  name: z.string().optional(),
  verify_jwt: z.boolean().optional(),
  import_map_path: z.string().nullish(),
  galley: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Reads a deployment: a multipart form with the part `metadata` and one part `file` for each source file, whose
 * `filename` is its path.
 * @throws AppError `invalid_request`, `invalid_manifest`, `invalid_slug` (400), `body_too_large` (413)
 */
export async function readDeployForm(
  body: unknown,
  contentType: string | undefined,
  slug: string | undefined,
): Promise<DeployRequest> {
  if (!contentType?.startsWith('multipart/form-data')) {
    throw invalidRequest('Expected a multipart/form-data body with the parts `metadata` and `file`');
  }
  const form = await parseForm(await readBody(body as Readable, limits.deployBodyBytes), contentType);
  const metadata = await readMetadata(form);
  const name = checkSlug(slug ?? metadata.name ?? '');
  if (metadata.name !== undefined && metadata.name !== name) {
    throw invalidRequest(`metadata.name: expected ${name}, the slug; functions have no other name here`);
  }
  const files = await readFiles(form);
  const entrypoint = presentFile(files, 'entrypoint_path', metadata.entrypoint_path);
  const { import_map_path: importMap, verify_jwt, galley } = metadata;
  return {
    slug: name,
    files,
    entrypoint,
    importMap: importMap ? presentFile(files, 'import_map_path', importMap) : undefined,
    manifest: parseManifest(name, { ...(verify_jwt !== undefined && { verify_jwt }), ...galley }),
    check: true,
  };
}

async function parseForm(body: Buffer, contentType: string): Promise<FormData> {
  try {
    return await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData();
  } catch (cause) {
    throw new AppError({
      code: 'invalid_request',
      status: 400,
      message: 'The body is not a well-formed multipart/form-data',
      cause,
    });
  }
}

async function readMetadata(form: FormData): Promise<z.infer<typeof metadataSchema>> {
  const part = form.get('metadata');
  const text = part === null || typeof part === 'string' ? part : await part.text();
  let json: unknown;
  try {
    json = JSON.parse(text ?? '');
  } catch {
    throw invalidRequest('Expected a part `metadata` that is JSON');
  }
  const parsed = metadataSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `metadata.${issue.path.join('.')}: ${issue.message}`);
  throw invalidRequest(problems.join('; '));
}

async function readFiles(form: FormData): Promise<Map<string, Uint8Array>> {
  const parts = form.getAll('file');
  if (parts.length > limits.sourceFiles)
    throw invalidRequest(`A function may have ${limits.sourceFiles} files`);
  const files = new Map<string, Uint8Array>();
  for (const part of parts) {
    if (typeof part === 'string') throw invalidRequest('Each part `file` needs a filename: its path');
    const path = checkPath(part.name);
    if (files.has(path)) throw invalidRequest(`The file ${path} was sent twice`);
    if (part.size > limits.sourceFileBytes) {
      throw invalidRequest(`The file ${path} is larger than ${limits.sourceFileBytes} bytes`);
    }
    files.set(path, new Uint8Array(await part.arrayBuffer()));
  }
  return files;
}

/** A path must stay within the function's own directory, wherever and on whatever system that is made. */
export function checkPath(path: string): string {
  const segments = path.replace(/^\.\//, '').split('/');
  // eslint-disable-next-line no-control-regex
  const isWrong = /[\\\u0000-\u001f\u007f:]/.test(path) || path.length > limits.sourcePathChars;
  if (isWrong || segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalidRequest(
      `${JSON.stringify(path.slice(0, limits.sourcePathChars))} is not a relative path of a source file`,
    );
  }
  return segments.join('/');
}

function presentFile(files: ReadonlyMap<string, Uint8Array>, key: string, given: string): string {
  const path = checkPath(given);
  if (files.has(path)) return path;
  throw invalidRequest(`metadata.${key}: ${path} is not among the files`);
}
