import { posix } from 'node:path';
import { bundleError } from './bundle-error.js';

const fileName = 'package.json';
/** Later ones count for more. */
const dependencyFields = ['devDependencies', 'optionalDependencies', 'dependencies'];

/** What Deno can be told of a version: a tag, a version, or one range of a single major, minor or patch version. */
const plainVersion = /^(?:[~^]?\d[\w.+-]*|\*|[a-z][\w.-]*)$/i;
/** `npm:name@1`, under another name than its own; `jsr:@scope/name@1`. */
const otherName = /^(npm|jsr):((?:@[\w.-]+\/)?[\w.-]+)(?:@(.*))?$/;

/** Packages by the names under which a `package.json` has them. */
export interface PackageDependencies {
  /** Name → `npm:name@^1.2.3`, for an import map. */
  readonly imports: Readonly<Record<string, string>>;
  /** Of the others: name → why it cannot be imported. */
  readonly unusable: ReadonlyMap<string, string>;
}

/**
 * Reads the `package.json` nearest to the entry point. Nothing is installed for it: packages come as they do by `npm:`,
 * those alone that are imported, and no script of theirs runs.
 * @throws AppError `BUNDLE_ERROR` when it is not JSON
 */
export function readPackageDependencies(
  files: ReadonlyMap<string, Uint8Array>,
  entrypoint: string,
): PackageDependencies {
  const imports: Record<string, string> = {};
  const unusable = new Map<string, string>();
  const path = nearest(files, entrypoint);
  for (const [name, version] of path === undefined ? [] : dependenciesOf(path, files.get(path)!)) {
    const address = addressOf(name, version);
    if (address !== null) imports[name] = address;
    else
      unusable.set(name, `${path} has ${name} as ${JSON.stringify(version)}: ${howInstead(name, version)}`);
  }
  return { imports, unusable };
}

function nearest(files: ReadonlyMap<string, Uint8Array>, entrypoint: string): string | undefined {
  for (let directory = posix.dirname(entrypoint); ; directory = posix.dirname(directory)) {
    const path = posix.join(directory, fileName);
    if (files.has(path)) return path;
    if (directory === '.') return undefined;
  }
}

function dependenciesOf(path: string, bytes: Uint8Array): Map<string, string> {
  let written: unknown;
  try {
    written = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw bundleError([`${path}: ${(error as Error).message}`]);
  }
  const fields = dependencyFields.map((field) => (written as Record<string, unknown> | null)?.[field]);
  return new Map(
    fields
      .flatMap((field) => Object.entries(field ?? {}))
      .filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** Null when Deno has no words for it. */
function addressOf(name: string, written: string): string | null {
  const other = otherName.exec(written);
  const [registry, target, version] = other ? [other[1], other[2], other[3] ?? ''] : ['npm', name, written];
  const range = version.trim().replace(/^[v=]\s*(?=\d)/, '') || '*';
  return plainVersion.test(range) ? `${registry}:${target}@${range}` : null;
}

function howInstead(name: string, version: string): string {
  return /^(?!npm:|jsr:).*[:/]/.test(version)
    ? 'only packages of a registry can be imported by a name; import others by their path'
    : `write one version or range, like "^1.2.3", or import "npm:${name}"`;
}
