import { posix } from 'node:path';
import { bundleError } from './bundle-error.js';

/** Settings that only change how modules are found and compiled. */
const keptSettings = ['imports', 'scopes'];
/** Compiler options that are not switches. What names files (`types`, `paths`, `rootDirs`) is dropped. */
const keptOptions = [
  'jsx',
  'jsxFactory',
  'jsxFragmentFactory',
  'jsxImportSource',
  'jsxImportSourceTypes',
  'lib',
];

/**
 * The part of a function's `deno.json` that bundling honours, as JSON. The rest is dropped because it would act on
 * this host: lock files, vendoring and `node_modules` (in which packages' scripts run), workspaces and links to
 * directories elsewhere, tasks.
 * @param path where the file lies in the source tree
 * @throws AppError `BUNDLE_ERROR` when it is not JSON with comments
 */
export function safeDenoConfig(path: string, text: string): string {
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
  return JSON.stringify(kept);
}

function staysInside(from: string, target: string): boolean {
  if (target.includes(':') || target.startsWith('/')) return false;
  return !posix.join(posix.dirname(from), target).startsWith('..');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON with comments and trailing commas, as Deno reads its configuration. */
function parseJsonc(path: string, text: string): Record<string, unknown> {
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
