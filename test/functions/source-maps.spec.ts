import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deployFiles, writtenLines } from './log-support.js';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

let server: FunctionsServer;
beforeAll(async () => {
  server = await startFunctionsServer();
});
afterAll(() => server.close());

const shared = `export interface Row {
  id: number;
}


export function load(id: number): Row {
  if (id > 0) throw new TypeError('no database');
  return { id };
}
`;

/** What stands on line 13 from column 9 on is what fails. */
const failing = (fails: string) => `import { load } from '../_shared/db.ts';

interface Wish {
  readonly kind: string;
}

type Answer = { text: string };

enum Mood { Good, Bad }

const answerTo = (wish: Wish, mood: Mood = Mood.Good): Answer => {
  const answer: Answer = { text: wish.kind + mood };
        ${fails}
  return answer;
};

Deno.serve((request: Request): Response => new Response(answerTo({ kind: request.method } as Wish).text));
`;

const deploy = (slug: string, index: string, manifest = {}) =>
  deployFiles(
    server,
    slug,
    { [`functions/${slug}/index.ts`]: index, 'functions/_shared/db.ts': shared },
    manifest,
  );

/** The places of a stack, save those in Deno and in the loader. */
const placesIn = (message: string) =>
  message.match(/[\w./:@-]+\.[tj]s:\d+:\d+/g)?.filter((at) => !/^(?:ext|node):/.test(at));

describe('stacks name the lines of the sources', () => {
  it.each([
    ['of an error that the function tells of', 'told', `console.error(new Error('told'));`],
    ['of an error of the handler', 'thrown', `throw new Error('thrown');`],
    ['of an error that nothing catches', 'uncaught', `setTimeout(() => { throw new Error('uncaught'); });`],
    ['of a rejection that nothing handles', 'rejected', `void Promise.reject(new Error('rejected'));`],
  ])('%s', async (_name, slug, fails) => {
    await deploy(slug, failing(fails));
    await (await server.call(slug)).text();
    const [line] = await writtenLines(server, slug, 1);
    expect(line).toMatchObject({ level: 'error', source: 'function' });
    const column = 9 + fails.indexOf('new Error');
    expect(line!.message).toContain(`Error: ${slug}\n`);
    expect(placesIn(line!.message)?.[0]).toBe(`index.ts:13:${column}`);
    expect(line!.message).not.toContain('main.js');
  });

  it('of a module beside the function, with the way there', async () => {
    await deploy('through', failing('load(1 as number);'));
    await (await server.call('through')).text();
    const [line] = await writtenLines(server, 'through', 1);
    expect(placesIn(line!.message)?.slice(0, 3)).toEqual([
      '_shared/db.ts:7:21',
      'index.ts:13:9',
      'index.ts:17:57',
    ]);
  });

  it('of an error while the function starts, and the later ones of another deployment by its own sources', async () => {
    const fails = (lines: string) =>
      `interface A { a: string }\n${lines}throw new Error('not today') as unknown as A;\n`;
    await deploy('stillborn', fails(''));
    expect((await server.call('stillborn')).status).toBe(503);
    await deploy('stillborn', fails('\n\n'));
    expect((await server.call('stillborn')).status).toBe(503);
    const [first, second] = await writtenLines(server, 'stillborn', 2);
    expect([first, second].map((line) => placesIn(line!.message)?.at(-1))).toEqual([
      'index.ts:2:7',
      'index.ts:4:7',
    ]);
    expect([first!.deployment, second!.deployment]).toEqual([1, 2]);
  });

  it('and lines stay in order while the map is read', async () => {
    await deploy(
      'orderly',
      `Deno.serve(() => {
        for (let n = 0; n < 10; n += 1) console.error(n, n % 3 === 0 ? new Error('x') : 'plain');
        return new Response();
      });`,
    );
    await (await server.call('orderly')).text();
    const lines = await writtenLines(server, 'orderly', 10);
    expect(lines.map(({ message }) => message[0])).toEqual([...'0123456789']);
  });

  it('and the map is not given to the function', async () => {
    const { rows } = await server.platform.database.query<{ code: Buffer; map: Buffer }>(
      `select code, source_map as map from deployments where function_slug = 'through'`,
    );
    expect(rows[0]!.code.toString()).not.toContain('sourceMappingURL');
    const map = JSON.parse(rows[0]!.map.toString()) as { sources: string[]; sourcesContent?: unknown };
    expect(map.sources).toEqual(['_shared/db.ts', 'index.ts']);
    expect(map.sourcesContent).toBeUndefined();
  });
});
