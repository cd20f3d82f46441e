import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { TestServer } from '../support/server.js';
import { startCinema, tokenOf } from './cinema.js';

let server: TestServer;

beforeAll(async () => {
  server = await startCinema();
});
afterAll(() => server.close());

/** The only block of `language` in docs/policies.md. */
async function block(language: string): Promise<string> {
  const text = await readFile('docs/policies.md', 'utf8');
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(text)![1]!;
}

describe('the example of docs/policies.md', () => {
  it('is answered as it stands there', async () => {
    await server.project.database.query(await block('sql'));
    const path = /\$GALLEY_URL(\S+)"/.exec(await block('console'))![1]!;
    const response = await fetch(`${server.url}${path}`, {
      headers: {
        prefer: 'explain=policies',
        apikey: server.keys.secretKey,
        'galley-explain-as': tokenOf(server, '00000000-0000-4000-8000-00000000000a'),
      },
    });
    expect(await response.json()).toEqual(JSON.parse(await block('json')));
  });
});
