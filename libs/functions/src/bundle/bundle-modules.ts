import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BuildRoom } from './build-room.js';
import { bundleError, cleanOutput } from './bundle-error.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { runDenoTool, type ToolResult } from './deno-tool.js';
import { withSourceNames } from './source-names.js';
import type { SourceTree } from './source-tree.js';

/**
 * Runs in Deno. `Deno.bundle` keeps to the permissions of its process, which the command `deno bundle` does not:
 * that one also inlines files named by expressions that only the bundler works out, unseen by the module graph.
 */
const bundlerSource = `
const result = await Deno.bundle({
  entrypoints: [Deno.args[0]], write: false, platform: 'deno', format: 'esm',
  // An external map must have a place, though nothing is written; it names the sources by their way from there.
  sourcemap: 'external', outputDir: '/',
});
const isMap = ({ path }) => path.endsWith('.js.map');
const outputs = result.outputFiles ?? [];
const [file, ...others] = outputs.filter((output) => !isMap(output) && !output.path.endsWith('.css.map'));
const code = file?.contents ?? new Uint8Array();
const mapText = outputs.find(isMap)?.text();
const { sources, mappings } = mapText ? JSON.parse(mapText) : {};
const map = new TextEncoder().encode(JSON.stringify({ version: 3, sources, names: [], mappings }));
const errors = result.errors.map(({ text, location }) => ({ text, file: location?.file }));
if (others.length > 0) errors.push({ text: 'Style sheets cannot be bundled.' });
else if (result.success && code.length === 0)
  errors.push({ file: Deno.args[0], text: 'Nothing is left of it: it neither calls Deno.serve nor has a default export.' });
const keepsMap = sources !== undefined && map.length <= ${limits.sourceMapBytes};
const head = JSON.stringify({ errors, codeBytes: code.length, hasMap: keepsMap });
const answer = [new TextEncoder().encode(head + '\\n'), code, ...(keepsMap ? [map] : [])];
for (const part of answer) for (let at = 0; at < part.length; ) at += Deno.stdout.writeSync(part.subarray(at));
`;

const answerHead = z.object({
  errors: z.array(z.object({ text: z.string(), file: z.string().optional() })),
  codeBytes: z.int(),
  hasMap: z.boolean(),
});

/** What comes of bundling. */
export interface BundledModules {
  readonly code: Uint8Array;
  /** Leads from `code` to the sources by the names that stacks give them; null when it would be too large. */
  readonly sourceMap: Uint8Array | null;
}

/** Says of a mistake of the bundler that it comes from a package's native addon. */
const addonFile = /\.node\b(?!:)|node-pre-gyp/;

/**
 * Bundles the tree into one module.
 * @param options.nativePackages those that have a native addon
 * @throws AppError `BUNDLE_ERROR` with the file of each mistake
 */
export async function bundleModules(
  tree: SourceTree,
  { room, nativePackages }: { room: BuildRoom; nativePackages: readonly string[] },
  onLine: (line: string) => void,
): Promise<BundledModules> {
  // A name that no source can have: theirs hold no colon.
  const script = 'galley:bundler.js';
  await writeFile(join(tree.directory, script), bundlerSource);
  const readable = [room.sources, join(room.cache, 'npm')];
  const args = [
    'run',
    '--quiet',
    '--unstable-bundle',
    '--no-prompt',
    '--no-lock',
    '--node-modules-dir=none',
    `--v8-flags=--max-old-space-size=${limits.heapMegabytes}`,
    `--allow-read=${readable.join(',')}`,
    room.importArgument,
    ...tree.configArguments,
    join(room.sources, script),
    join(room.sources, tree.entrypoint),
  ];
  const { exitCode, stdout, stderr } = await withBundler(() => runDenoTool({ args, room, onLine }));
  if (exitCode !== 0) throw bundleError([cleanOutput(stderr, room.sources).trim()]);
  const end = stdout.indexOf('\n');
  const { errors, codeBytes, hasMap } = answerHead.parse(JSON.parse(stdout.toString('utf8', 0, end)));
  if (errors.length > 0) {
    const told = errors.map((error) => describe(error, room.sources));
    const others = told.filter((text) => nativePackages.length === 0 || !addonFile.test(text));
    const addons = nativePackages.map((name) => `${name} needs a native addon, which functions cannot load.`);
    throw bundleError(others.length === told.length ? told : [...addons, ...others]);
  }
  if (codeBytes > limits.codeBytes) {
    throw bundleError([`The bundled function has ${codeBytes} bytes; the limit is ${limits.codeBytes}.`]);
  }
  const code = stdout.subarray(end + 1, end + 1 + codeBytes);
  if (!hasMap)
    onLine(`The source map is larger than ${limits.sourceMapBytes} bytes: stacks name the bundle.`);
  const map = stdout.subarray(end + 1 + codeBytes);
  return { code, sourceMap: hasMap ? withSourceNames(map, tree.entrypoint, room) : null };
}

let isBundlerThere = false;
let lastWithout: Promise<unknown> = Promise.resolve();

/**
 * Until a build has had the bundler's program, builds take turns: Deno writes it into the cache that they share, under a
 * name made of its process id, which in jails is the same for all.
 */
async function withBundler(run: () => Promise<ToolResult>): Promise<ToolResult> {
  const result = await (isBundlerThere ? run() : inTurn(run));
  if (result.exitCode === 0) isBundlerThere = true;
  // Another server may have been at it.
  const wasDisturbed = result.exitCode !== 0 && /failed to (?:copy|start) esbuild/.test(result.stderr);
  return wasDisturbed ? run() : result;
}

function inTurn(run: () => Promise<ToolResult>): Promise<ToolResult> {
  const turn = lastWithout.then(run);
  lastWithout = turn.catch(() => {});
  return turn;
}

/** Lines are left out: the bundler counts them in compiled text. */
function describe(error: { text: string; file?: string | undefined }, directory: string): string {
  const denied = /^Requires read access to "(.*?)"/.exec(error.text);
  // Of a package that has no such version, or one below it has none, the bundler tells only this.
  const lost = /^Could not find constraint '(.*?)' in the list of packages/.exec(error.text);
  const text = denied
    ? `The file ${denied[1]} lies outside of the function's sources.`
    : lost
      ? `npm:${lost[1]}, or a package that it depends on, is not in the npm registry.`
      : error.text;
  return cleanOutput(error.file ? `${error.file}: ${text}` : text, directory);
}
