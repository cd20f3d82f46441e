import { posix } from 'node:path';
import { bundleError } from './bundle-error.js';
import { readPackageDependencies } from './package-json.js';

/** Settings that only change how modules are found and compiled. */
const keptSettings = ['imports', 'scopes'] as const;
/** Compiler options that are not switches. What names files (`types`, `paths`, `rootDirs`) is dropped. */
const keptOptions = [
  'jsx',
  'jsxFactory',
  'jsxFragmentFactory',
  'jsxImportSource',
  'jsxImportSourceTypes',
  'lib',
];
const configNames = ['deno.json', 'deno.jsonc'];

type Settings = Readonly<Record<string, unknown>>;

/** What Deno is told about a function: its import map and compiler options, wherever they were written. */
export interface DenoConfig {
  /** Directory in the source tree from which relative addresses of the import map count; `.` is the root. */
  readonly directory: string;
  readonly imports: Settings;
  readonly scopes: Settings;
  /** Those that the author set. */
  readonly compilerOptions: Settings;
  /** Why names cannot be imported that a `package.json` has. */
  readonly unusable: ReadonlyMap<string, string>;
}

export function isDenoConfig(path: string): boolean {
  return configNames.includes(posix.basename(path));
}

/**
 * Reads what was named, or the configuration nearest to the entry point. Of the import map of an own file, of the
 * configuration and of a file named there, the first counts, as in Deno. What it does not name, the dependencies of a
 * `package.json` may.
 * @throws AppError `BUNDLE_ERROR` when one of them is not JSON with comments, or `package.json` no JSON
 */
export function readDenoConfig(sources: {
  files: ReadonlyMap<string, Uint8Array>;
  entrypoint: string;
  importMap?: string | undefined;
}): DenoConfig {
  const { files, entrypoint, importMap } = sources;
  const read = (path: string) => safeDenoConfig(path, Buffer.from(files.get(path)!).toString('utf8'));
  const namedConfig = importMap !== undefined && isDenoConfig(importMap) ? importMap : undefined;
  const path = namedConfig ?? nearestConfig(files, entrypoint);
  const config = path === undefined ? {} : read(path);
  const ownMap = 'imports' in config || 'scopes' in config ? path : undefined;
  const mapOfConfig =
    typeof config['importMap'] === 'string' && posix.join(posix.dirname(path!), config['importMap']);
  const otherMap = mapOfConfig && files.has(mapOfConfig) ? mapOfConfig : undefined;
  const mapPath = (namedConfig ? undefined : importMap) ?? ownMap ?? otherMap;
  const map = mapPath === undefined ? {} : read(mapPath);
  const packages = readPackageDependencies(files, entrypoint);
  return {
    directory: posix.dirname(mapPath ?? path ?? '.'),
    imports: { ...packages.imports, ...recordOf(map['imports']) },
    scopes: recordOf(map['scopes']),
    compilerOptions: recordOf(config['compilerOptions']),
    unusable: packages.unusable,
  };
}

/**
 * The part of a `deno.json` or import map that bundling honours. The rest is dropped because it would act on this
 * host: lock files, vendoring and `node_modules` (in which packages' scripts run), workspaces and links to
 * directories elsewhere, tasks.
 * @param path where the file lies in the source tree
 * @throws AppError `BUNDLE_ERROR` when it is not JSON with comments
 */
export function safeDenoConfig(path: string, text: string): Settings {
  const config = parseJsonc(path, text);
  const kept: Record<string, unknown> = {};
  for (const name of keptSettings) if (isRecord(config[name])) kept[name] = config[name];
  if (typeof config['importMap'] === 'string' && staysInside(path, config['importMap'])) {
    kept['importMap'] = config['importMap'];
  }
  if (isRecord(config['compilerOptions'])) {
    kept['compilerOptions'] = Object.fromEntries(
      Object.entries(config['compilerOptions']).filter(
        ([name, value]) => typeof value === 'boolean' || keptOptions.includes(name),
      ),
    );
  }
  return kept;
}

function nearestConfig(files: ReadonlyMap<string, Uint8Array>, entrypoint: string): string | undefined {
  for (let directory = posix.dirname(entrypoint); ; directory = posix.dirname(directory)) {
    const found = configNames.map((name) => posix.join(directory, name)).find((path) => files.has(path));
    if (found !== undefined || directory === '.') return found;
  }
}

function staysInside(from: string, target: string): boolean {
  if (target.includes(':') || target.startsWith('/')) return false;
  return !posix.join(posix.dirname(from), target).startsWith('..');
}

function isRecord(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function recordOf(value: unknown): Settings {
  return isRecord(value) ? value : {};
}

/** JSON with comments and trailing commas, as Deno reads its configuration. */
function parseJsonc(path: string, text: string): Settings {
  // Strings are matched first, so that what looks like a comment inside one is left alone.
  const withoutComments = text.replace(
    /("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_, string) => string ?? '',
  );
  const plain = withoutComments.replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, (_, string) => string ?? '');
  try {
    const parsed: unknown = plain.trim() === '' ? {} : JSON.parse(plain);
    if (isRecord(parsed)) return parsed;
  } catch (error) {
    throw bundleError([`${path}: ${(error as Error).message}`]);
  }
  throw bundleError([`${path}: must be an object`]);
}
