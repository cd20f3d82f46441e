import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { bundleError, cleanOutput } from './bundle-error.js';
import { bundleLimits as limits } from './bundle-limits.js';
import { denoCacheDirectory, importArgument, runDenoTool } from './deno-tool.js';
import type { SourceTree } from './source-tree.js';

/**
 * Runs in Deno. `Deno.bundle` keeps to the permissions of its process, which the command `deno bundle` does not:
 * that one also inlines files named by expressions that only the bundler works out, unseen by the module graph.
 */
const bundlerSource = `
const result = await Deno.bundle({ entrypoints: [Deno.args[0]], write: false, platform: 'deno', format: 'esm' });
const [file, ...others] = result.outputFiles ?? [];
const code = file?.contents ?? new Uint8Array();
const errors = result.errors.map(({ text, location }) => ({ text, file: location?.file }));
if (others.length > 0) errors.push({ text: 'Style sheets cannot be bundled.' });
else if (result.success && code.length === 0)
  errors.push({ file: Deno.args[0], text: 'Nothing is left of it: it neither calls Deno.serve nor has a default export.' });
const answer = [new TextEncoder().encode(JSON.stringify(errors) + '\\n'), code];
for (const part of answer) for (let at = 0; at < part.length; ) at += Deno.stdout.writeSync(part.subarray(at));
`;

const bundlerErrors = z.array(z.object({ text: z.string(), file: z.string().optional() }));

/** Bundles the tree into one module. @throws AppError `BUNDLE_ERROR` with the file of each mistake. */
export async function bundleModules(
  tree: SourceTree,
  dataDir: string,
  onLine: (line: string) => void,
): Promise<Uint8Array> {
  // A name that no source can have: theirs hold no colon.
  const script = join(tree.directory, 'galley:bundler.js');
  await writeFile(script, bundlerSource);
  const readable = [tree.directory, join(denoCacheDirectory(dataDir), 'npm')];
  const args = [
    'run',
    '--quiet',
    '--unstable-bundle',
    '--no-prompt',
    '--no-lock',
    '--node-modules-dir=none',
    `--v8-flags=--max-old-space-size=${limits.heapMegabytes}`,
    `--allow-read=${readable.join(',')}`,
    importArgument,
    ...tree.configArguments,
    script,
    join(tree.directory, tree.entrypoint),
  ];
  const { exitCode, stdout, stderr } = await runDenoTool({
    args,
    directory: tree.directory,
    dataDir,
    onLine,
  });
  if (exitCode !== 0) throw bundleError([cleanOutput(stderr, tree.directory).trim()]);
  const end = stdout.indexOf('\n');
  const errors = bundlerErrors.parse(JSON.parse(stdout.toString('utf8', 0, end)));
  if (errors.length > 0) throw bundleError(errors.map((error) => describe(error, tree.directory)));
  const code = stdout.subarray(end + 1);
  if (code.length > limits.codeBytes) {
    throw bundleError([`The bundled function has ${code.length} bytes; the limit is ${limits.codeBytes}.`]);
  }
  return code;
}

/** Lines are left out: the bundler counts them in compiled text. */
function describe(error: { text: string; file?: string | undefined }, directory: string): string {
  const denied = /^Requires read access to "(.*?)"/.exec(error.text);
  const text = denied ? `The file ${denied[1]} lies outside of the function's sources.` : error.text;
  return cleanOutput(error.file ? `${error.file}: ${text}` : text, directory);
}
