import { dirname, join, posix, relative, resolve } from 'node:path';
import { z } from 'zod';
import type { BuildRoom } from './build-room.js';

const writtenMap = z.object({
  version: z.literal(3),
  sources: z.array(z.string().nullable()),
  names: z.tuple([]),
  mappings: z.string(),
});

/** `<registry>/@scope/name/1.2.3/lib/index.js`, below the cache's directory of npm packages. */
const npmFile = /^(?:.*?\/)?((?:@[^/]+\/)?[^/]+)\/(\d+\.\d+\.\d+[^/]*)\/(.+)$/;
/** `https://jsr.io/@scope/name/1.2.3/mod.ts` */
const jsrFile = /^https:\/\/jsr\.io\/(@[^/]+\/[^/]+)\/([^/]+)\/(.+)$/;

/** The map, its sources named as stacks are to show them; nothing in it tells of this host's directories. */
export function withSourceNames(
  map: Uint8Array,
  entrypoint: string,
  { sources: directory, cache }: Pick<BuildRoom, 'sources' | 'cache'>,
): Uint8Array {
  const written = writtenMap.parse(JSON.parse(Buffer.from(map).toString('utf8')));
  const tree = { directory, entrypoint };
  const npm = join(cache, 'npm');
  const sources = written.sources.map((source) => source && sourceName(source, tree, npm));
  return Buffer.from(JSON.stringify({ ...written, sources }));
}

/**
 * `index.ts` for a file of the function's own folder, `_shared/db.ts` for one beside it, `npm:zod@3.25.76/index.js`,
 * `jsr:@std/assert@1.0.0/equals.ts`, or the address of a remote module.
 * @param source as the bundler names it: by an address, or by a path from the root of the file system
 * @param npm where packages are kept
 */
export function sourceName(
  source: string,
  tree: { readonly directory: string; readonly entrypoint: string },
  npm: string,
): string | null {
  const address = source.replace(/^deno:/, '');
  if (/^https?:\/\//.test(address)) return address.replace(jsrFile, 'jsr:$1@$2/$3');
  const path = resolve('/', source);
  const own = relative(tree.directory, path);
  if (!own.startsWith('..')) {
    return posix.relative(dirname(tree.entrypoint), own).replace(/^(?:\.\.\/)+/, '');
  }
  const kept = relative(npm, path);
  if (kept.startsWith('..')) return null;
  const [, name, version, file] = npmFile.exec(kept) ?? [];
  // A package's own map may name what lies beside the package.
  return name ? `npm:${name}@${version}/${file}` : `npm:${kept.slice(kept.indexOf('/') + 1)}`;
}
