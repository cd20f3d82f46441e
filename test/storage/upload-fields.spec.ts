import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startStorage, type StorageServer } from './storage-server.js';

let server: StorageServer;
beforeAll(async () => {
  server = await startStorage();
  await server.admin.storage.createBucket('pictures', { public: true, allowedMimeTypes: ['image/*'] });
});
afterAll(() => server.close());

function upload(path: string, body: string, headers: Record<string, string>) {
  return server.fetch(`/object/${path}`, {
    method: 'POST',
    headers: {
      apikey: server.keys.secretKey,
      authorization: `Bearer ${server.keys.serviceRoleKey}`,
      ...headers,
    },
    body,
  });
}

/** Each part's headers and content; the file is the part that has no name. */
function uploadForm(path: string, parts: readonly { name: string; type?: string; content: string }[]) {
  const body = parts.map(
    ({ name, type, content }) =>
      `--b\r\ncontent-disposition: form-data; name="${name}"${type ? `\r\ncontent-type: ${type}` : ''}\r\n\r\n${content}\r\n`,
  );
  return upload(path, `${body.join('')}--b--\r\n`, { 'content-type': 'multipart/form-data; boundary=b' });
}

describe('the content type of an upload', () => {
  const two = 'image/png;x=,text/html';

  it.each([
    ['a header', () => upload('pictures/two', '<p>', { 'content-type': two })],
    ['a form', () => uploadForm('pictures/two', [{ name: '', type: two, content: '<p>' }])],
    ['a form, for any bucket', () => uploadForm('site/two', [{ name: '', type: two, content: '<p>' }])],
  ])('is one type and not two, as %s', async (_, attempt) => {
    const response = await attempt();
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      statusCode: '415',
      code: 'InvalidMimeType',
      message: `mime type ${two} is not supported`,
    });
  });

  it.each(['text/plain;日本', 'text/plain;x=1\ny', 'text/plain;x="\x01"'])(
    'is such as a header can say again: not %j',
    async (type) => {
      const before = await server.versions();
      const response = await uploadForm('site/unreadable', [{ name: '', type, content: 'x' }]);
      expect(await response.json()).toMatchObject({ statusCode: '415', code: 'InvalidMimeType' });
      expect(await server.versions()).toBe(before);
    },
  );

  it('may have a comma in quotes', async () => {
    const type = 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"';
    expect((await upload('site/film', 'x', { 'content-type': type })).status).toBe(200);
    expect((await server.fetch('/object/public/site/film')).headers.get('content-type')).toBe(type);
  });
});

describe('what a form says of its file', () => {
  const file = { name: '', type: 'text/plain', content: 'x' };

  it.each([
    ['metadata', 'not json', 'metadata is not a JSON object'],
    ['cacheControl', 'für immer', 'cacheControl is not a number of seconds or a Cache-Control value'],
  ])(
    'leaves no bytes behind where %s is wrong, before the file or behind it',
    async (name, content, message) => {
      const before = await server.versions();
      for (const parts of [
        [{ name, content }, file],
        [file, { name, content }],
      ]) {
        const response = await uploadForm('site/refused', parts);
        expect(await response.json()).toMatchObject({ statusCode: '400', code: 'InvalidRequest', message });
        expect(await server.versions()).toBe(before);
      }
    },
  );

  it('counts behind the file too', async () => {
    await uploadForm('site/said', [
      file,
      { name: 'cacheControl', content: '7' },
      { name: 'metadata', content: '{"a":1}' },
    ]);
    const { data } = await server.admin.storage.from('site').info('said');
    expect(data).toMatchObject({ cacheControl: 'max-age=7', metadata: { a: 1 } });
  });
});

describe('the metadata of an upload', () => {
  const withMetadata = (metadata: string) =>
    upload('site/described', 'x', {
      'content-type': 'text/plain',
      'x-metadata': Buffer.from(metadata).toString('base64'),
    });

  it('cannot hold NUL, which PostgreSQL has no room for', async () => {
    const before = await server.versions();
    const response = await withMetadata('{"a":"\\u0000"}');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ statusCode: '400', code: 'InvalidParameter' });
    expect(await server.versions()).toBe(before);
  });

  it.each([
    [100, 200],
    [101, 400],
    [10_000, 400],
  ])('that nests %i levels deep is answered with %i', async (levels, status) => {
    const nested = `${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}`;
    const response = await uploadForm('site/deep', [
      { name: 'metadata', content: `{"a":${nested}}` },
      { name: '', type: 'text/plain', content: 'x' },
    ]);
    expect(response.status).toBe(status);
    if (status === 200) await server.admin.storage.from('site').remove(['deep']);
    else expect(await response.json()).toMatchObject({ message: 'metadata may nest 100 levels deep' });
  });
});
