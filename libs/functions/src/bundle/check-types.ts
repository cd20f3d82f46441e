import type { BuildRoom } from './build-room.js';
import { bundleError, cleanOutput } from './bundle-error.js';
import { runDenoTool } from './deno-tool.js';
import { declaresRuntime, runtimeTypesFile } from './runtime-types.js';
import type { SourceTree } from './source-tree.js';
import { writeDenoConfig } from './write-deno-config.js';

/**
 * Deno checks strictly unless it is told otherwise. Supabase checks nothing at all when it deploys, and functions
 * written for it have parameters without types and look into what was caught; only their own deno.json asks for more.
 */
const lenient = { strict: false, noImplicitOverride: false };

/**
 * TypeScript 5.7 began to tell buffers that may be shared from others, and `Uint8Array` alone means either. Code from
 * before hands such arrays to what takes bytes, and none of them is shared.
 */
const possiblySharedBytes =
  /<ArrayBufferLike>' is not assignable to (?:parameter of )?type '[^']*(?:BodyInit|BufferSource|BlobPart|ArrayBuffer)/;

/** In Deno 1, as in browsers, a timer was a number, and much code says so. */
const timerAsNumber = /^Type 'Timeout' is not assignable to type 'number'/;
const howToTypeTimers =
  'setTimeout and setInterval return an object: write ReturnType<typeof setTimeout>, or leave the type out.';

const howToSkip =
  'To deploy without this check: `check = false` in galley.toml, or `galley deploy --no-check`, or `// @ts-nocheck` above a file.';

/**
 * Type-checks the sources; packages and remote modules are taken at their word.
 *
 * What is wrong only by one view of null is no error, unless deno.json asks for that view: checked for null, ordinary
 * code fails at each `Deno.env.get()`; unchecked, types that zod infers lose their required keys.
 * @throws AppError `BUNDLE_ERROR` with file, line and column of each type error
 */
export async function checkTypes(
  tree: SourceTree,
  room: BuildRoom,
  onLine: (line: string) => void,
): Promise<void> {
  const options: Record<string, unknown> = { ...lenient, ...tree.config.compilerOptions };
  let errors = await typeErrors(tree, await writeDenoConfig(tree, 'check', options), room, onLine);
  const checksNull = options['strictNullChecks'] ?? options['strict'];
  if (errors.length > 0 && !checksNull) {
    const strict = await writeDenoConfig(tree, 'check-null', { ...options, strictNullChecks: true });
    const places = new Set((await typeErrors(tree, strict, room, onLine)).map(({ place }) => place));
    errors = errors.filter(({ place }) => places.has(place));
  }
  if (errors.length > 0) throw bundleError([...errors.map(({ text }) => text), howToSkip]);
}

interface TypeError {
  /** `file:line:column` and code. */
  readonly place: string;
  readonly text: string;
}

async function typeErrors(
  tree: SourceTree,
  configArguments: readonly string[],
  room: BuildRoom,
  onLine: (line: string) => void,
): Promise<TypeError[]> {
  const args = [
    'check',
    '--quiet',
    '--no-lock',
    '--node-modules-dir=none',
    room.importArgument,
    ...configArguments,
    tree.entrypoint,
  ];
  if (!declaresRuntime(tree.files)) args.push(runtimeTypesFile);
  const { exitCode, stderr } = await runDenoTool({ args, room, onLine });
  if (exitCode === 0) return [];
  const output = cleanOutput(stderr, room.sources);
  const errors = parseTypeErrors(output);
  // Something else than types is wrong, and is so however they are checked.
  if (errors.length === 0) throw bundleError([output.trim()]);
  return errors.filter(({ text }) => !possiblySharedBytes.test(text));
}

/** Turns `TS2322 [ERROR]: text … at file:1:2` into `file:1:2: text … (TS2322)`. */
function parseTypeErrors(output: string): TypeError[] {
  const blocks = output.split(/^(?=TS\d+ \[ERROR\]: )/m).filter((block) => block.startsWith('TS'));
  return blocks.map((block) => {
    const code = /^TS\d+/.exec(block)![0];
    const at = /^\s+at (\S+:\d+:\d+)$/m.exec(block);
    const message = block.slice(code.length + ' [ERROR]: '.length, at?.index ?? block.length);
    const [summary = '', ...rest] = message.trimEnd().split('\n');
    const place = at ? `${at[1]}: ` : '';
    const hint = timerAsNumber.test(summary) ? ` ${howToTypeTimers}` : '';
    return { place: `${place}${code}`, text: [`${place}${summary} (${code})${hint}`, ...rest].join('\n') };
  });
}
