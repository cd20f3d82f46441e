import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { testNames } from './test-names.js';

const docs = resolve(import.meta.dirname, '../../../docs');
const text = readFileSync(join(docs, 'postgrest.md'), 'utf8');

/** A line: what is documented, what Galley does, and the tests that show it. */
interface Row {
  readonly behaviour: string;
  readonly galley: string;
  readonly shownBy: readonly string[];
}

/** Lines of tables, and items of lists, whose tests are items below. */
const rows: readonly Row[] = [
  ...[...text.matchAll(/^\|(.+)\|$/gm)].map(([, cells]) => cells!.split(/(?<!\\)\|/)),
  ...[...text.matchAll(/^- (.+(?:\n {2}.+)*)$/gm)].map(([, item]) => item!.split(/ ·\s+| *\n *- (?=\[)/)),
]
  .map((cells) =>
    cells.map((cell) =>
      cell
        .trim()
        .replaceAll(/\n */g, ' ')
        .replaceAll(/\\([|*_<>])/g, '$1'),
    ),
  )
  .map(([behaviour, galley, ...shownBy]) => ({ behaviour: behaviour!, galley: galley!, shownBy }))
  .filter(({ behaviour }) => behaviour !== 'Behaviour' && !/^-+$/.test(behaviour));

const files = new Map(
  [...text.matchAll(/^\[([\w-]+)\]: (\S+\.spec\.ts)$/gm)].map(([, ref, path]) => [ref!, join(docs, path!)]),
);
const namesByRef = new Map([...files].map(([ref, file]) => [ref, testNames(file)]));

/** A name follows the link to its file; without one, the words of the row are the name. */
function testsOf({ behaviour, shownBy }: Row): { ref: string; name: string }[] {
  return shownBy.map((shown) => {
    const [, ref, name] = /^\[([\w-]+)\](?: `(.+)`)?$/.exec(shown) ?? [];
    return { ref: ref ?? shown, name: name ?? behaviour };
  });
}

const shown = rows.flatMap(testsOf);
const keyOf = (ref: string, name: string) => `[${ref}] ${name}`;
const named = new Set(shown.map(({ ref, name }) => keyOf(ref, name)));

describe('the table of what PostgREST documents', () => {
  it('says of each behaviour whether Galley has it, and names a test where it has', () => {
    expect(rows.length).toBeGreaterThan(300);
    expect(rows.filter(({ galley }) => !/^(?:yes|no|differently)\b/.test(galley))).toEqual([]);
    expect(rows.filter(({ galley, shownBy }) => galley === 'yes' && shownBy.length === 0)).toEqual([]);
  });

  it('names tests that there are', () => {
    const unknown = shown.filter(({ ref, name }) => !namesByRef.get(ref)?.includes(name));
    expect(unknown).toEqual([]);
  });

  it('has a row for each conformance test and each method of the SDK', () => {
    const here = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.spec.ts'));
    const refs = here.filter((file) => file !== 'table.spec.ts').map((file) => file.replace('.spec.ts', ''));
    const tests = [...refs, 'sdk-methods'].flatMap(
      (ref) => namesByRef.get(ref)?.map((name) => keyOf(ref, name)) ?? [`no link to ${ref}`],
    );
    expect(tests.filter((test) => !named.has(test))).toEqual([]);
  });
});
