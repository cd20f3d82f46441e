import { posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { BuildRoom } from './build-room.js';
import { bundleError, cleanOutput } from './bundle-error.js';
import { runDenoTool } from './deno-tool.js';
import { nativePackageError } from './native-packages.js';
import type { SourceTree } from './source-tree.js';

const position = z.object({ line: z.number(), character: z.number() });
const resolution = z.object({
  specifier: z.string().optional(),
  error: z.string().optional(),
  span: z.object({ start: position }).optional(),
});
const moduleGraph = z.object({
  modules: z.array(
    z.object({
      specifier: z.string(),
      error: z.string().optional(),
      dependencies: z
        .array(
          z.object({
            specifier: z.string(),
            code: resolution.optional(),
            type: resolution.optional(),
            /** By `import()`, or by `require`. */
            isDynamic: z.boolean().default(false),
          }),
        )
        .optional(),
    }),
  ),
  npmPackages: z
    .record(z.string(), z.object({ name: z.string(), dependencies: z.array(z.string()) }))
    .default({}),
});
type ModuleGraph = z.infer<typeof moduleGraph>;

/** What packages depend on to build, find or bring along a native addon. */
const addonTools =
  /^(?:node-addon-api|nan|bindings|node-gyp-build[\w-]*|prebuild-install|(?:@mapbox\/)?node-pre-gyp|@img\/sharp-[\w-]+)@/;

/**
 * Reads the static module graph, which fetches what is remote, and refuses what cannot be resolved and every file
 * outside of the sources: Deno's tools read any file that a module names, by `import … with { type: 'text' }` too.
 * @returns the npm packages that have a native addon, `npm:bcrypt`
 * @throws AppError `BUNDLE_ERROR` with file, line and column of each mistake
 */
export async function checkModuleGraph(
  tree: SourceTree,
  room: BuildRoom,
  onLine: (line: string) => void,
): Promise<string[]> {
  const args = [
    'info',
    '--json',
    '--no-lock',
    '--node-modules-dir=none',
    room.importArgument,
    ...tree.configArguments,
    tree.entrypoint,
  ];
  const { exitCode, stdout, stderr } = await runDenoTool({ args, room, onLine });
  if (exitCode !== 0)
    throw bundleError([
      cleanOutput(stderr, room.sources)
        .trim()
        .replace(/^error: /, ''),
    ]);
  const graph = moduleGraph.parse(JSON.parse(stdout.toString('utf8')));
  // The sources as Deno saw them.
  const seen = { ...tree, directory: room.sources };
  const errors = [
    ...outsideFiles(graph, seen.directory),
    ...unresolved(graph, seen),
    ...nativePackages(graph, seen),
  ];
  if (errors.length > 0) throw bundleError(errors);
  const native = Object.values(graph.npmPackages).filter(({ dependencies }) =>
    dependencies.some((name) => addonTools.test(name)),
  );
  return [...new Set(native.map(({ name }) => `npm:${name}`))];
}

function outsideFiles(graph: ModuleGraph, directory: string): string[] {
  const outside = new Set<string>();
  for (const { specifier, dependencies = [] } of graph.modules) {
    const targets = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier]);
    for (const url of [specifier, ...targets]) if (url && isOutside(url, directory)) outside.add(url);
  }
  return [...outside].map(
    (url) => `${importedAt(graph, url, directory)}The file ${url} lies outside of the function's sources.`,
  );
}

/** Packages come from Deno's own cache; their modules have `npm:` and `https:` specifiers here. */
function isOutside(url: string, directory: string): boolean {
  if (!url.startsWith('file:')) return false;
  try {
    return posix.relative(directory, fileURLToPath(url)).startsWith('..');
  } catch {
    return true;
  }
}

function unresolved(graph: ModuleGraph, tree: SourceTree): string[] {
  const { directory } = tree;
  const errors = graph.modules.flatMap(({ specifier, error }) => {
    if (error === undefined || isRequired(graph, specifier, tree)) return [];
    const text = cleanOutput(error, directory);
    // A syntax error knows its own place, at the end.
    const own = /\n\s+at (\S+:\d+:\d+)$/.exec(text);
    return own
      ? [`${own[1]}: ${text.slice(0, own.index)}`]
      : [importedAt(graph, specifier, directory) + text];
  });
  for (const module of graph.modules) {
    for (const { specifier, code, type } of module.dependencies ?? []) {
      const failed = code?.error ? code : type?.error ? type : null;
      if (!failed) continue;
      const text = cleanOutput(failed.error!, directory);
      errors.push(place(module.specifier, failed, directory) + text + howToImport(specifier, text, tree));
    }
  }
  return errors;
}

/**
 * Whether a module that is not there is one of CommonJS, whose `require` finds files without their ending and the
 * `index.js` of a folder. The bundler finds them so, too, and reads no more files than it may.
 */
function isRequired(graph: ModuleGraph, url: string, { directory, files }: SourceTree): boolean {
  if (!url.startsWith(`file://${directory}/`) || isOutside(url, directory)) return false;
  const path = posix.relative(directory, fileURLToPath(url));
  const found = ['.js', '/index.js'].some((end) => files.has(path + end));
  const naming = graph.modules
    .flatMap(({ dependencies = [] }) => dependencies)
    .filter(({ code }) => code?.specifier === url);
  return found && naming.every(({ isDynamic }) => isDynamic);
}

/** What to do about a bare name that nothing stands for. */
function howToImport(specifier: string, error: string, { config }: SourceTree): string {
  if (!error.includes('not a dependency')) return '';
  const [name = ''] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) ?? [];
  const why = config.unusable.get(name);
  if (why !== undefined) return `. ${why}`;
  return `. Import "npm:${specifier}", or name ${name} in "imports" of deno.json or "dependencies" of package.json`;
}

/** Imports of packages that would end the function as soon as it starts. */
function nativePackages(graph: ModuleGraph, tree: SourceTree): string[] {
  const modules = new Map(graph.modules.map((module) => [module.specifier, module]));
  const errors: string[] = [];
  const loaded = new Set([pathToFileURL(posix.join(tree.directory, tree.entrypoint)).href]);
  // A set goes on to what is added meanwhile.
  for (const url of loaded) {
    for (const { code, isDynamic } of modules.get(url)?.dependencies ?? []) {
      if (!code?.specifier || (isDynamic && !isRequiredAtOnce(url, code, tree))) continue;
      loaded.add(code.specifier);
      const error = nativePackageError(code.specifier);
      if (error !== null) errors.push(place(url, code, tree.directory) + error);
    }
  }
  return errors;
}

/** Whether it is a statement of its own that requires it, so that no `try` catches that it cannot be loaded. */
function isRequiredAtOnce(url: string, at: z.infer<typeof resolution>, tree: SourceTree): boolean {
  if (!at.span || !url.startsWith('file:')) return false;
  const source = tree.files.get(posix.relative(tree.directory, fileURLToPath(url)));
  const { line, character } = at.span.start;
  const text = Buffer.from(source ?? []).toString('utf8');
  const before = text.split('\n').at(line)?.slice(0, character);
  return before !== undefined && /^(?:(?:const|let|var)\s[^;]*=\s*)?require\($/.test(before);
}

/** Where `url` is first imported, as `file:line:column: `. */
function importedAt(graph: ModuleGraph, url: string, directory: string): string {
  for (const module of graph.modules) {
    for (const { code, type } of module.dependencies ?? []) {
      const found = code?.specifier === url ? code : type?.specifier === url ? type : null;
      if (found) return place(module.specifier, found, directory);
    }
  }
  return '';
}

function place(file: string, at: z.infer<typeof resolution>, directory: string): string {
  const start = at.span?.start;
  const path = cleanOutput(file, directory);
  return start ? `${path}:${start.line + 1}:${start.character + 1}: ` : `${path}: `;
}
