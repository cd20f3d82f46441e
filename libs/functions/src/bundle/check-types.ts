import { bundleError, cleanOutput } from './bundle-error.js';
import { runDenoTool } from './deno-tool.js';
import type { SourceTree } from './source-tree.js';

/**
 * Type-checks the sources; packages and remote modules are taken at their word.
 * @throws AppError `BUNDLE_ERROR` with file, line and column of each type error
 */
export async function checkTypes(
  tree: SourceTree,
  dataDir: string,
  onLine: (line: string) => void,
): Promise<void> {
  const args = [
    'check',
    '--quiet',
    '--no-lock',
    '--node-modules-dir=none',
    ...tree.configArguments,
    tree.entrypoint,
  ];
  const { exitCode, stderr } = await runDenoTool({ args, directory: tree.directory, dataDir, onLine });
  if (exitCode === 0) return;
  const text = cleanOutput(stderr, tree.directory);
  const errors = typeErrors(text);
  throw bundleError(errors.length > 0 ? errors : [text.trim()]);
}

/** Turns `TS2322 [ERROR]: text … at file:1:2` into `file:1:2: text … (TS2322)`. */
function typeErrors(output: string): string[] {
  const blocks = output.split(/^(?=TS\d+ \[ERROR\]: )/m).filter((block) => block.startsWith('TS'));
  return blocks.map((block) => {
    const code = /^TS\d+/.exec(block)![0];
    const at = /^\s+at (\S+:\d+:\d+)$/m.exec(block);
    const message = block.slice(code.length + ' [ERROR]: '.length, at?.index ?? block.length);
    const [summary = '', ...rest] = message.trimEnd().split('\n');
    const place = at ? `${at[1]}: ` : '';
    return [`${place}${summary} (${code})`, ...rest].join('\n');
  });
}
