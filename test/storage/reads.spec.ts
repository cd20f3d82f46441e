import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startStorage, type Person, type StorageServer } from './storage-server.js';

const digits = '0123456789';
let server: StorageServer;
let ada: Person;
let mine: string;

beforeAll(async () => {
  server = await startStorage();
  ada = await server.person();
  mine = `${ada.id}/digits.txt`;
  const options = { contentType: 'text/plain', cacheControl: '60' };
  await ada.client.storage.from('avatars').upload(mine, digits, options);
  await server.admin.storage.from('site').upload('a dir/digits.txt', digits, options);
});
afterAll(() => server.close());

const site = (path: string, init?: RequestInit) => server.fetch(`/object/public/site/${path}`, init);
const publicDigits = 'a%20dir/digits.txt';

describe('a public bucket', () => {
  it('is read by anyone, at its public URL and without a key', async () => {
    const { publicUrl } = server.admin.storage.from('site').getPublicUrl('a dir/digits.txt').data;
    expect(await (await fetch(publicUrl)).text()).toBe(digits);
    expect(await (await server.fetch(`/object/site/${publicDigits}`)).text()).toBe(digits);
    expect((await server.fetch(`/object/info/public/site/${publicDigits}`)).status).toBe(200);
  });

  it('says how long and under which conditions an answer may be kept', async () => {
    const { status, headers } = await site(publicDigits);
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '10',
      'cache-control': 'max-age=60',
      'accept-ranges': 'bytes',
      etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
      'last-modified': expect.stringMatching(/GMT$/),
      'x-content-type-options': 'nosniff',
    });
  });

  it.each([
    ['bytes=2-4', '234', 'bytes 2-4/10'],
    ['bytes=7-', '789', 'bytes 7-9/10'],
    ['bytes=-2', '89', 'bytes 8-9/10'],
  ])('gives the part %s', async (range, content, contentRange) => {
    const response = await site(publicDigits, { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(response.headers.get('content-length')).toBe(String(content.length));
    expect(await response.text()).toBe(content);
  });

  it('refuses a part beyond the end and tells the size', async () => {
    const response = await site(publicDigits, { headers: { range: 'bytes=10-' } });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */10');
    expect(await response.json()).toMatchObject({ statusCode: '416', code: 'InvalidRange' });
  });

  it('gives the whole when the part was of another version', async () => {
    const headers = { range: 'bytes=2-4', 'if-range': '"other"' };
    const response = await site(publicDigits, { headers });
    expect([response.status, await response.text()]).toEqual([200, digits]);
  });

  it('sends nothing to who has it already', async () => {
    const { headers } = await site(publicDigits);
    const etag = headers.get('etag')!;
    for (const value of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const response = await site(publicDigits, { headers: { 'if-none-match': value } });
      expect([response.status, await response.text()]).toEqual([304, '']);
      expect(response.headers.get('etag')).toBe(etag);
    }
    expect((await site(publicDigits, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
    const since = headers.get('last-modified')!;
    expect((await site(publicDigits, { headers: { 'if-modified-since': since } })).status).toBe(304);
    const long = 'Mon, 01 Jan 2001 00:00:00 GMT';
    expect((await site(publicDigits, { headers: { 'if-modified-since': long } })).status).toBe(200);
  });

  it('answers HEAD with the headers alone', async () => {
    for (const path of [`/object/public/site/${publicDigits}`, `/object/site/${publicDigits}`]) {
      const response = await server.fetch(path, { method: 'HEAD' });
      expect([response.status, response.headers.get('content-length')]).toEqual([200, '10']);
    }
    expect((await server.fetch('/object/public/site/none', { method: 'HEAD' })).status).toBe(400);
  });

  it.each([
    ['?download', 'attachment'],
    ['?download=', 'attachment'],
    ['?download=c%22%C3%A4t.txt', "attachment; filename=c%22%C3%A4t.txt; filename*=UTF-8''c%22%C3%A4t.txt"],
  ])('is saved as a file with %s', async (query, disposition) => {
    const { headers } = await site(`${publicDigits}${query}`);
    expect(headers.get('content-disposition')).toBe(disposition);
  });

  it('does not let an uploaded page run in the API’s origin', async () => {
    const bucket = server.admin.storage.from('site');
    await bucket.upload('page.html', '<script>alert(1)</script>', {
      contentType: 'text/html; charset=utf-8',
    });
    await bucket.upload('drawing.svg', '<svg/>', { contentType: 'image/svg+xml' });
    const page = await site('page.html');
    expect(page.headers.get('content-type')).toBe('text/plain');
    const drawing = await site('drawing.svg');
    expect(drawing.headers.get('content-type')).toBe('image/svg+xml');
    expect(drawing.headers.get('content-security-policy')).toContain('sandbox');
    expect(drawing.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each([
    ['application/rss+xml', 'application/rss+xml', true],
    ['application/atom+xml;charset=utf-8', 'application/atom+xml;charset=utf-8', true],
    ['application/mathml+xml', 'application/mathml+xml', true],
    ['image/x-drawing+xml', 'image/x-drawing+xml', true],
    ['application/x-unheard-of', 'application/x-unheard-of', true],
    ['multipart/x-mixed-replace; boundary=b', 'text/plain', true],
    ['image/png', 'image/png', false],
    ['video/mp4', 'video/mp4', false],
    ['application/pdf', 'application/pdf', false],
    ['text/plain; charset=utf-8', 'text/plain; charset=utf-8', false],
  ])('sends %s as %s, in a sandbox: %s', async (contentType, shown, inSandbox) => {
    const options = { contentType, upsert: true };
    await server.admin.storage.from('site').upload('typed', 'x', options);
    const { headers } = await site('typed');
    expect(headers.get('content-type')).toBe(shown);
    expect(headers.get('content-security-policy')?.includes('sandbox') ?? false).toBe(inSandbox);
  });

  it('gives an object whose row holds what is no type as bytes of any kind', async () => {
    await server.admin.storage.from('site').upload('old.txt', 'old', { contentType: 'text/plain' });
    await server.project.database.query(
      `update storage.objects set metadata = jsonb_set(metadata, '{mimetype}', to_jsonb($1::text)) where name = 'old.txt'`,
      ['text/plain;日本'],
    );
    const response = await site('old.txt');
    expect([response.status, await response.text()]).toEqual([200, 'old']);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
  });
});

describe('a private bucket', () => {
  const avatars = (person: Person) => person.client.storage.from('avatars');

  it('is read where a policy shows the object', async () => {
    expect(await (await avatars(ada).download(mine)).data!.text()).toBe(digits);
    expect((await avatars(ada).exists(mine)).data).toBe(true);
    const response = await server.fetch(`/object/authenticated/avatars/${mine}`, {
      headers: { authorization: `Bearer ${ada.token}`, range: 'bytes=0-1' },
    });
    expect([response.status, await response.text()]).toEqual([206, '01']);
  });

  it('shows others nothing, as if nothing were there', async () => {
    const eve = await server.person();
    const { error } = await avatars(eve).download(mine);
    expect(error).toMatchObject({ message: 'Object not found', statusCode: '404', status: 400 });
    expect((await avatars(eve).info(mine)).error).toMatchObject({ statusCode: '404' });
    expect((await avatars(eve).exists(mine)).data).toBe(false);
    expect((await avatars(ada).download(`${ada.id}/none`)).error).toMatchObject({ statusCode: '404' });
  });

  it('refuses a token of a role that is not there', async () => {
    const token = server.project.tokens.sign({ sub: ada.id, role: 'nosuch' }, 60);
    const headers = { authorization: `Bearer ${token}` };
    const response = await server.fetch(`/object/authenticated/avatars/${mine}`, { headers });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      statusCode: '403',
      code: 'InvalidJWT',
      message: 'role "nosuch" does not exist',
    });
  });

  it('has no public URL and is not there for who brings no key', async () => {
    for (const path of [
      `/object/public/avatars/${mine}`,
      `/object/avatars/${mine}`,
      '/object/public/nowhere/x',
    ]) {
      const response = await server.fetch(path);
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({
        statusCode: '404',
        error: 'Bucket not found',
        message: 'Bucket not found',
        code: 'NoSuchBucket',
      });
    }
    expect((await server.fetch(`/object/authenticated/avatars/${mine}`)).status).toBe(401);
  });
});

describe('what is not offered', () => {
  it.each([
    ['POST', '/upload/resumable', 'NotSupported', 'Resumable upload (TUS) is not available on this server'],
    ['GET', '/s3/avatars', 'NotSupported', 'The S3 protocol is not available on this server'],
    ['GET', '/nothing', 'NotFound', 'Route GET:/storage/v1/nothing not found'],
  ])('%s %s answers in the protocol’s shape', async (method, path, code, message) => {
    const response = await server.fetch(path, { method });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code, message, statusCode: expect.any(String) });
  });

  it('lists with a cursor', async () => {
    const { error } = await server.admin.storage.from('site').listV2();
    expect(error).toMatchObject({
      message: 'Listing with a cursor (list-v2) is not available on this server',
    });
  });
});
