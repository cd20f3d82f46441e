/** The platform's file in a source tree. No source can have such a name: theirs hold no colon. */
export const runtimeTypesFile = 'galley:runtime.d.ts';

/**
 * What functions find beside what Deno itself has, for the type checker. `beforeunload` tells why a function's process
 * goes; Deno's own declaration knows no `detail`.
 */
export const runtimeTypes = `
declare namespace EdgeRuntime {
  export function waitUntil<T>(promise: Promise<T>): Promise<T>;
}
interface WindowEventMap {
  beforeunload: Event & { readonly detail?: { readonly reason: string } };
}
`;

const codeFile = /\.[cm]?[jt]sx?$/;
const ownDeclaration = /\b(?:namespace|module|var|let|const)\s+EdgeRuntime\b/;
const supabaseTypes =
  /["']((?:jsr:|npm:|https:\/\/[^"'\s]*)?\/?@supabase\/functions-js[^"'\s]*\/edge-runtime\.d\.ts)["']/g;

/** Whether the sources say themselves what `EdgeRuntime` is; a second declaration would contradict theirs. */
export function declaresRuntime(files: ReadonlyMap<string, Uint8Array>): boolean {
  return codeOf(files).some((code) => ownDeclaration.test(code));
}

/**
 * The names under which the sources import the declarations of Supabase's runtime, as each function made by its CLI
 * does in its first line. They get {@link runtimeTypes} instead: those are true here, and need no registry.
 */
export function importedRuntimeTypes(files: ReadonlyMap<string, Uint8Array>): string[] {
  const names = codeOf(files).flatMap((code) => [...code.matchAll(supabaseTypes)].map((match) => match[1]!));
  return [...new Set(names)];
}

function codeOf(files: ReadonlyMap<string, Uint8Array>): string[] {
  return [...files]
    .filter(([path]) => codeFile.test(path))
    .map(([, bytes]) => Buffer.from(bytes).toString('utf8'));
}
