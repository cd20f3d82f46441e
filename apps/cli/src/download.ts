import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { OperatorError } from '#libs/platform';
import type { Say } from './command.js';
import { request, type Management } from './connection.js';

/**
 * `galley functions download`: writes the sources of the active deployment below `supabase/`. The folder of the entry
 * point becomes `supabase/functions/<slug>`, and what lay beside it lies there again.
 * @throws OperatorError when a file is there that differs, unless `force`; then nothing is written
 */
export async function download(
  management: Management,
  wanted: { slug: string; root: string; force: boolean },
  say: Say,
): Promise<void> {
  const path = `/v1/projects/local/functions/${encodeURIComponent(wanted.slug)}/body`;
  const headers = { accept: 'multipart/form-data' };
  const form = await (await request(management, path, { headers })).formData();
  const { deno2_entrypoint_path: entrypoint } = JSON.parse(String(form.get('metadata'))) as {
    deno2_entrypoint_path: string;
  };
  const supabase = join(resolve(wanted.root), 'supabase');
  const own = join(supabase, 'functions', wanted.slug);
  const files = new Map<string, Buffer>();
  for (const part of form.getAll('file') as File[]) {
    const target = join(own, posix.relative(posix.dirname(entrypoint), part.name));
    if (relative(supabase, target).startsWith('..')) {
      throw new OperatorError(`${part.name} would lie outside of ${supabase}; nothing was written.`);
    }
    files.set(target, Buffer.from(await part.arrayBuffer()));
  }
  if (!wanted.force) await refuseToReplace(files);
  for (const [target, bytes] of files) {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, bytes);
    say(relative(resolve(wanted.root), target));
  }
}

async function refuseToReplace(files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [target, bytes] of files) {
    const present = await readFile(target).catch(() => undefined);
    if (present === undefined || present.equals(bytes)) continue;
    throw new OperatorError(`${target} is there and differs. Nothing was written; --force replaces it.`);
  }
}
