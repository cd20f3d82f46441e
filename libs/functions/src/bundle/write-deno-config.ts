import { mkdir, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { DenoConfig } from './deno-config.js';
import { importedRuntimeTypes, runtimeTypesFile } from './runtime-types.js';

/**
 * Writes what Deno is to go by into a source tree, beside the import map that it holds.
 * @param compilerOptions instead of those of `config`
 * @returns the arguments that lead Deno to it
 */
export async function writeDenoConfig(
  tree: { directory: string; files: ReadonlyMap<string, Uint8Array>; config: DenoConfig },
  name: string,
  compilerOptions: Readonly<Record<string, unknown>> = tree.config.compilerOptions,
): Promise<readonly string[]> {
  const { directory: own, imports, scopes } = tree.config;
  // A name that no source can have: theirs hold no colon.
  const path = posix.join(own, `galley:${name}.json`);
  const types = posix.join(posix.relative(own, '.') || '.', runtimeTypesFile);
  const typesAddress = types.startsWith('../') ? types : `./${types}`;
  const typesImports = importedRuntimeTypes(tree.files).map((specifier) => [specifier, typesAddress]);
  await mkdir(join(tree.directory, own), { recursive: true });
  await writeFile(
    join(tree.directory, path),
    JSON.stringify({ imports: { ...imports, ...Object.fromEntries(typesImports) }, scopes, compilerOptions }),
  );
  return [`--config=${path}`];
}
