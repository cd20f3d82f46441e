import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthModule } from '#libs/auth';
import { DataModule } from '#libs/data';
import { repositoryRoot } from '#libs/platform';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { limits } from '../../libs/data/src/limits.js';
import { startTestServer, type TestServer } from '../support/server.js';
import { tokenOf } from './cinema.js';

const page = readFileSync(join(repositoryRoot, 'docs/batch.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((block) => block[1]!);
const [request, answer, refusal] = blocks('json').map((text) => JSON.parse(text) as object);
const person = { email: 'ann@example.com', password: 'a long password' };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [AuthModule, DataModule] });
  await server.project.database.query(blocks('sql').join(';'));
});
afterAll(() => server.close());

const send = (body: string) =>
  fetch(`${server.url}/rest/v1/batch`, {
    method: 'POST',
    headers: {
      apikey: server.keys.publishableKey,
      authorization: `Bearer ${tokenOf(server, '00000000-0000-4000-8000-00000000000a')}`,
      'content-type': 'application/json',
    },
    body,
  });

describe('the page on batches', () => {
  it('shows what is answered, and what is answered to a batch that fails', async () => {
    const done = await send(JSON.stringify(request));
    expect([done.status, await done.json()]).toEqual([200, answer]);
    const failed = await send(JSON.stringify(request).replace('"pieces":2', '"pieces":0'));
    expect([failed.status, await failed.json()]).toEqual([400, refusal]);
  });

  it('shows how it is sent beside supabase-js', async () => {
    await server.client().auth.signUp(person);
    const [example, ...others] = blocks('js');
    expect(others).toEqual([]);
    const lines = example!
      .replace('http://127.0.0.1:54321', server.url)
      .replace('sb_publishable_…', server.keys.publishableKey);
    const folder = join(repositoryRoot, 'dist');
    await mkdir(folder, { recursive: true });
    const file = join(folder, `batch-example-${process.pid}.mjs`);
    await writeFile(file, `${lines}console.log(JSON.stringify([order, lines])); process.exit();`);
    try {
      // Node.js 20 has no WebSocket without it, and the SDK will not start without one.
      const run = await promisify(execFile)(process.execPath, ['--experimental-websocket', file]);
      expect(JSON.parse(run.stdout)).toMatchObject([
        { status: 201, body: [{ note: 'by noon', customer: expect.any(String) }] },
        { status: 201, body: [{ product: 'bread', pieces: 2 }] },
      ]);
    } finally {
      await rm(file);
    }
  });

  it('names the bounds that there are', () => {
    const mebibytes = (bytes: number) => `${bytes / 1024 / 1024} MiB`;
    const bounds = page.slice(page.indexOf('## Bounds')).replaceAll(/\s+/g, ' ');
    expect(bounds).toContain(`${limits.batchRequests} requests`);
    expect(bounds).toContain(`${mebibytes(limits.batchBodyBytes)} of body`);
    expect(bounds).toContain(`${mebibytes(limits.batchResponseBytes)} of bodies`);
    expect(bounds).toContain(`${limits.batchRows.toLocaleString('en')} rows`);
    expect(limits.batchMs).toBe(60_000);
  });
});
