import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const longestFileLines = 400;
const junkDrawers = /^(utils?|helpers?|common|shared|misc|managers?)(\.|$)/;

/** What each part may import: itself, and these. */
const layers: Record<string, readonly string[]> = {
  'libs/platform': [],
  'libs/events': ['libs/platform'],
  'libs/usage': ['libs/platform'],
  'libs/auth': ['libs/platform', 'libs/events', 'libs/usage'],
  'libs/data': ['libs/platform', 'libs/events', 'libs/usage'],
  'libs/storage': ['libs/platform', 'libs/events', 'libs/usage'],
  'libs/functions': ['libs/platform', 'libs/events', 'libs/usage'],
  'libs/webhooks': ['libs/platform', 'libs/events'],
  'apps/server': ['libs/*'],
  'apps/worker': ['libs/*', 'apps/server'],
  'apps/cli': ['libs/*', 'apps/server', 'apps/worker'],
};

interface SourceFile {
  readonly path: string;
  readonly part: string;
  readonly text: string;
  /** Paths of files and parts that it imports, relative to the root. */
  readonly imports: readonly { target: string; typeOnly: boolean }[];
}

function sourceFiles(): SourceFile[] {
  return Object.keys(layers).flatMap((part) =>
    readdirSync(join(root, part, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.includes('generated'))
      .map((name) => readSource(part, join(root, part, 'src', name))),
  );
}

function readSource(part: string, file: string): SourceFile {
  const text = readFileSync(file, 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s)?'([^']+)'/gms);
  const imports = [...statements].flatMap(([, typeOnly, specifier]) => {
    const target = targetOf(file, specifier!);
    return target === undefined ? [] : [{ target, typeOnly: typeOnly !== undefined }];
  });
  return { path: relative(root, file), part, text, imports };
}

function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#libs/')) return `libs/${specifier.slice('#libs/'.length)}/src/index.ts`;
  if (specifier.startsWith('.'))
    return relative(root, resolve(dirname(file), specifier)).replace(/\.js$/, '.ts');
  return undefined;
}

const partOf = (path: string) => path.split('/').slice(0, 2).join('/');
const files = sourceFiles();

describe('the architecture', () => {
  it('has source files to look at', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(files.some((file) => file.imports.length > 0)).toBe(true);
  });

  it('imports only downwards: features never import each other', () => {
    const broken = files.flatMap((file) =>
      file.imports
        .filter(({ target }) => {
          const part = partOf(target);
          const allowed = layers[file.part]!;
          const below = allowed.includes(part) || (allowed.includes('libs/*') && part.startsWith('libs/'));
          return part !== file.part && !below;
        })
        .map(({ target }) => `${file.path} → ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('enters another lib only through its index', () => {
    const deep = files.flatMap((file) =>
      file.imports
        .filter(({ target }) => partOf(target) !== file.part && target.startsWith('libs/'))
        .filter(({ target }) => !target.endsWith('/src/index.ts'))
        .map(({ target }) => `${file.path} → ${target}`),
    );
    expect(deep).toEqual([]);
  });

  it('has no import cycle', () => {
    const graph = new Map(
      files.map((file) => [file.path, file.imports.filter((i) => !i.typeOnly).map((i) => i.target)]),
    );
    expect(findCycle(graph)).toBeUndefined();
  });

  it('reads process.env in one file', () => {
    const readers = files.filter((file) => /process\.env\b/.test(file.text)).map((file) => file.path);
    expect(readers.filter((path) => !path.endsWith('.spec.ts'))).toEqual(['libs/platform/src/config/env.ts']);
  });

  it('exports by name', () => {
    const stars = files.filter((file) => /^export \*/m.test(file.text)).map((file) => file.path);
    expect(stars).toEqual([]);
  });

  it('has no junk drawer', () => {
    const drawers = files.filter((file) => file.path.split('/').some((name) => junkDrawers.test(name)));
    expect(drawers.map((file) => file.path)).toEqual([]);
  });

  it('keeps a file to one topic', () => {
    const long = files.filter((file) => file.text.split('\n').length > longestFileLines);
    expect(long.map((file) => file.path)).toEqual([]);
  });

  it('leaves nothing for later', () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b/;
    expect(files.filter((file) => marks.test(file.text)).map((file) => basename(file.path))).toEqual([]);
  });
});

/** Depth first; a file that is met again on the way down closes a cycle. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]): string[] | undefined => {
    if (above.includes(path)) return [...above.slice(above.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...above, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
