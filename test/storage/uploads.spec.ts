import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { storageLimits } from '#libs/storage';
import { startStorage, type Person, type StorageServer } from './storage-server.js';

let server: StorageServer;
let ada: Person;
let own: (name: string) => string;

beforeAll(async () => {
  server = await startStorage();
});
afterAll(() => server.close());
beforeEach(async () => {
  ada = await server.person();
  own = (name) => `${ada.id}/${name}`;
  await server.project.database.query('truncate galley.outbox');
});

const avatars = (person: Person) => person.client.storage.from('avatars');

async function contentOf(person: Person, name: string): Promise<string> {
  const { data, error } = await avatars(person).download(name);
  if (error) throw error;
  return data.text();
}

describe('an upload', () => {
  it('takes a Blob as a form and keeps its type, cache time and metadata', async () => {
    const file = new Blob(['cat'], { type: 'image/png' });
    const uploaded = await avatars(ada).upload(own('cat.png'), file, {
      cacheControl: '60',
      metadata: { mood: 'sleepy' },
    });
    expect(uploaded).toEqual({
      data: { path: own('cat.png'), id: expect.any(String), fullPath: `avatars/${own('cat.png')}` },
      error: null,
    });
    expect((await avatars(ada).info(own('cat.png'))).data).toMatchObject({
      id: uploaded.data!.id,
      name: own('cat.png'),
      bucketId: 'avatars',
      size: 3,
      contentType: 'image/png',
      cacheControl: 'max-age=60',
      metadata: { mood: 'sleepy' },
      etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
    });
  });

  it.each([
    ['a buffer', () => Buffer.from('cat')],
    ['a string', () => 'cat'],
    ['a stream', () => Readable.from([Buffer.from('c'), Buffer.from('at')])],
    ['a form of the caller’s own', () => formOf('cat')],
    ['nothing', () => ''],
  ])('takes %s', async (_, body) => {
    const { error } = await avatars(ada).upload(own('x.txt'), body(), { contentType: 'text/plain' });
    expect(error).toBeNull();
    expect(await contentOf(ada, own('x.txt'))).toBe(body() === '' ? '' : 'cat');
  });

  it('keeps what a plain body says in its headers', async () => {
    await avatars(ada).upload(own('a.bin'), randomBytes(300_000), {
      contentType: 'application/x-cat',
      cacheControl: '7',
      metadata: { größe: 'groß' },
    });
    expect((await avatars(ada).info(own('a.bin'))).data).toMatchObject({
      size: 300_000,
      contentType: 'application/x-cat',
      cacheControl: 'max-age=7',
      metadata: { größe: 'groß' },
    });
  });

  it('belongs to the person who sent it', async () => {
    await avatars(ada).upload(own('mine.txt'), 'x');
    const { rows } = await server.project.database.query(
      'select owner, owner_id from storage.objects where name = $1',
      [own('mine.txt')],
    );
    expect(rows).toEqual([{ owner: ada.id, owner_id: ada.id }]);
  });

  it('refuses a name that is taken, and replaces it only with upsert', async () => {
    await avatars(ada).upload(own('a.txt'), 'one');
    const before = await server.versions();
    const again = await avatars(ada).upload(own('a.txt'), 'two');
    expect(again.error).toMatchObject({
      message: 'The resource already exists',
      status: 400,
      statusCode: '409',
    });
    expect(await contentOf(ada, own('a.txt'))).toBe('one');
    expect((await avatars(ada).upload(own('a.txt'), 'two', { upsert: true })).error).toBeNull();
    expect(await contentOf(ada, own('a.txt'))).toBe('two');
    expect((await avatars(ada).update(own('a.txt'), 'three')).error).toBeNull();
    expect(await contentOf(ada, own('a.txt'))).toBe('three');
    expect(await server.versions()).toBe(before);
  });

  it('appends object.updated when other bytes take the place of the first', async () => {
    await avatars(ada).upload(own('u.txt'), 'one');
    await server.project.database.query('truncate galley.outbox');
    await avatars(ada).upload(own('u.txt'), 'three', { upsert: true });
    expect(await server.events()).toMatchObject([
      {
        name: 'object.updated',
        payload: { sizeBytes: 5, record: { name: own('u.txt') }, old_record: { name: own('u.txt') } },
      },
    ]);
  });

  it('appends object.created in the transaction of its row', async () => {
    await server.fetch(`/object/avatars/${own('e.txt')}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ada.token}`,
        'content-type': 'text/plain',
        'x-request-id': 'req-1',
      },
      body: 'hello',
    });
    const { rows } = await server.project.database.query<{ version: string; same: boolean }>(
      `select o.version, o.xmin = e.xmin as same from storage.objects o, galley.outbox e where o.name = $1`,
      [own('e.txt')],
    );
    expect(rows).toEqual([{ version: expect.any(String), same: true }]);
    expect(await server.events()).toEqual([
      {
        name: 'object.created',
        request_id: 'req-1',
        payload: {
          bucket: 'avatars',
          name: own('e.txt'),
          version: rows[0]!.version,
          sizeBytes: 5,
          mimeType: 'text/plain',
          ownerId: ada.id,
          record: expect.objectContaining({ bucket_id: 'avatars', name: own('e.txt'), owner_id: ada.id }),
        },
      },
    ]);
  });
});

describe('an upload that is refused', () => {
  it('stores nothing when a policy forbids it', async () => {
    const before = await server.versions();
    const eve = await server.person();
    const { error } = await avatars(eve).upload(own('hers.txt'), randomBytes(2_000_000));
    expect(error).toMatchObject({
      message: 'new row violates row-level security policy',
      statusCode: '403',
      status: 400,
    });
    expect(await server.versions()).toBe(before);
    expect(await server.events()).toEqual([]);
  });

  it('may not replace what someone else owns', async () => {
    await server.admin.storage.from('avatars').upload(own('given.txt'), 'given');
    const { error } = await avatars(ada).upload(own('given.txt'), 'taken', { upsert: true });
    expect(error).toMatchObject({ statusCode: '403' });
    expect(await contentOf(ada, own('given.txt'))).toBe('given');
  });

  it('does not let a forbidden upload spoil the stream it did not read', async () => {
    const response = await server.fetch('/object/avatars/not/mine.bin', {
      method: 'POST',
      headers: { authorization: `Bearer ${ada.token}`, 'content-type': 'application/octet-stream' },
      body: randomBytes(5_000_000),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      statusCode: '403',
      error: 'Unauthorized',
      message: 'new row violates row-level security policy',
      code: 'AccessDenied',
    });
  });

  it('is cut at the bucket’s limit, whether it announced its size or not', async () => {
    await server.admin.storage.createBucket('small', { fileSizeLimit: 1000, public: false });
    const before = await server.versions();
    const small = server.admin.storage.from('small');
    const tooMuch = Buffer.alloc(300_000);
    for (const body of [tooMuch, new Blob([tooMuch]), Readable.from([tooMuch, tooMuch])]) {
      const { error } = await small.upload('x', body);
      expect(error).toMatchObject({
        message: 'The object exceeded the maximum allowed size',
        statusCode: '413',
      });
    }
    expect((await small.upload('fits', Buffer.alloc(1000))).error).toBeNull();
    expect(await server.versions()).toBe(before + 1);
  });

  it('is cut at the server’s limit', async () => {
    const { error } = await avatars(ada).upload(
      own('huge'),
      new Blob([Buffer.alloc(storageLimits.objectBytes + 1)]),
    );
    expect(error).toMatchObject({
      message: 'The object exceeded the maximum allowed size',
      statusCode: '413',
    });
  });

  it('must be of a type the bucket takes', async () => {
    await server.admin.storage.createBucket('pictures', { public: false, allowedMimeTypes: ['image/*'] });
    const pictures = server.admin.storage.from('pictures');
    expect((await pictures.upload('a.txt', 'x', { contentType: 'text/plain' })).error).toMatchObject({
      message: 'mime type text/plain is not supported',
      statusCode: '415',
    });
    expect((await pictures.upload('a.png', 'x', { contentType: 'image/png' })).error).toBeNull();
    expect((await pictures.upload('b.png', new Blob(['x'], { type: 'image/png' }))).error).toBeNull();
  });

  it.each([
    ['a bucket that is not there', 'nowhere', 'a.txt', 'Bucket not found', '404'],
    ['a name of other characters', 'avatars', 'naïve.txt', 'Invalid key: naïve.txt', '400'],
  ])('names %s', async (_, bucket, name, message, statusCode) => {
    const { error } = await server.admin.storage.from(bucket).upload(name, 'x');
    expect(error).toMatchObject({ message, statusCode });
  });

  it('needs a key', async () => {
    const response = await server.fetch('/object/site/a.txt', { method: 'POST', body: 'x' });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      statusCode: '401',
      message: 'No API key found in request',
    });
  });

  it('tells what is wrong with a token', async () => {
    const response = await server.fetch('/object/site/a.txt', {
      method: 'POST',
      headers: { authorization: 'Bearer nonsense' },
      body: 'x',
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ statusCode: '403', code: 'InvalidJWT' });
  });

  it.each([
    ['a form without a file', { body: formOf(undefined) }, 'No content provided'],
    [
      'metadata that is no object',
      { body: 'x', headers: { 'x-metadata': 'bm8=' } },
      'metadata is not a JSON object',
    ],
    [
      'a form that is cut short',
      { body: '--b\r\n', headers: { 'content-type': 'multipart/form-data; boundary=b' } },
      'The multipart body ended early',
    ],
  ])(
    'says what is wrong with %s',
    async (_, { body, headers }: { body: string | FormData; headers?: object }, message) => {
      const before = await server.versions();
      const response = await server.fetch(`/object/avatars/${own('w')}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ada.token}`, ...headers },
        body,
      });
      expect(await response.json()).toMatchObject({ statusCode: '400', code: 'InvalidRequest', message });
      expect(await server.versions()).toBe(before);
    },
  );
});

describe('two uploads of one name at a time', () => {
  it('leave the row of the last, its bytes, and no others', async () => {
    const before = await server.versions();
    const contents = Array.from({ length: 8 }, (_, i) => `content ${i} `.repeat(5000));
    const results = await Promise.all(
      contents.map((content) => avatars(ada).upload(own('race.txt'), content, { upsert: true })),
    );
    expect(results.map((result) => result.error)).toEqual(contents.map(() => null));
    expect(await server.versions()).toBe(before + 1);
    expect(contents).toContain(await contentOf(ada, own('race.txt')));
    expect(await server.events()).toHaveLength(contents.length);
  });

  it('without upsert let one through and refuse the others', async () => {
    const before = await server.versions();
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, i) => avatars(ada).upload(own('first.txt'), `content ${i}`)),
    );
    expect(results.filter((result) => result.error === null)).toHaveLength(1);
    for (const { error } of results) if (error) expect(error).toMatchObject({ statusCode: '409' });
    expect(await server.versions()).toBe(before + 1);
    expect(await server.events()).toHaveLength(1);
  });

  it('and downloads of it see whole contents only', async () => {
    const letters = ['a', 'b', 'c', 'd'];
    await avatars(ada).upload(own('busy.txt'), 'a'.repeat(100_000));
    const uploads = letters.map((letter) => avatars(ada).update(own('busy.txt'), letter.repeat(100_000)));
    const downloads = letters.map(() => contentOf(ada, own('busy.txt')));
    for (const content of await Promise.all(downloads)) {
      expect(content).toHaveLength(100_000);
      expect(new Set(content).size).toBe(1);
    }
    await Promise.all(uploads);
  });
});

function formOf(content: string | undefined): FormData {
  const form = new FormData();
  if (content === undefined) form.append('cacheControl', '1');
  else form.append('file', new Blob([content], { type: 'text/plain' }), 'x.txt');
  return form;
}
