import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startStorage, type Person, type StorageServer } from './storage-server.js';

let server: StorageServer;
let ada: Person;
let mine: string;
beforeAll(async () => {
  server = await startStorage();
  ada = await server.person();
  mine = `${ada.id}/my cat.txt`;
  await ada.client.storage.from('avatars').upload(mine, 'miaow', { contentType: 'text/plain' });
});
afterAll(() => server.close());

const avatars = (person: Person) => person.client.storage.from('avatars');

describe('a signed URL', () => {
  it('lets anyone read the one object until it ends', async () => {
    const { data } = await avatars(ada).createSignedUrl(mine, 60);
    const response = await fetch(data!.signedUrl);
    expect([response.status, await response.text()]).toEqual([200, 'miaow']);
    const expires = Date.parse(response.headers.get('expires')!);
    expect(expires - Date.now()).toBeGreaterThan(50_000);
    expect(expires - Date.now()).toBeLessThan(70_000);
    const other = data!.signedUrl.replace('my%20cat', 'your%20cat');
    expect(await (await fetch(other)).json()).toMatchObject({ code: 'InvalidSignature', statusCode: '400' });
  });

  it('can say under which name to save', async () => {
    const { data } = await avatars(ada).createSignedUrl(mine, 60, { download: 'cat.txt' });
    const { headers } = await fetch(data!.signedUrl);
    expect(headers.get('content-disposition')).toContain('filename=cat.txt');
  });

  it('is made for many objects at once, each for itself', async () => {
    const { data } = await avatars(ada).createSignedUrls([mine, 'not/mine.txt'], 60);
    expect(data).toEqual([
      expect.objectContaining({ path: mine, error: null }),
      expect.objectContaining({
        path: 'not/mine.txt',
        error: 'Either the object does not exist or you do not have access to it',
        signedUrl: null,
      }),
    ]);
    expect(await (await fetch(data![0]!.signedUrl!)).text()).toBe('miaow');
  });

  it('is not made for what the caller cannot read', async () => {
    const eve = await server.person();
    expect((await avatars(eve).createSignedUrl(mine, 60)).error).toMatchObject({ statusCode: '404' });
    expect((await avatars(ada).createSignedUrl(mine, 0)).error).toMatchObject({ statusCode: '400' });
  });

  it('does not work with another token', async () => {
    const read = async (token: string) =>
      (await server.fetch(`/object/sign/avatars/${encodeURI(mine)}?token=${token}`)).json();
    const url = `avatars/${mine}`;
    const ended = server.project.tokens.sign({ scope: 'download', url }, -10);
    expect(await read(ended)).toMatchObject({ code: 'InvalidJWT', statusCode: '400' });
    expect(await read('nonsense')).toMatchObject({ code: 'InvalidJWT' });
    expect(await read('')).toMatchObject({ code: 'InvalidSignature' });
    expect(await read(ada.token)).toMatchObject({ code: 'InvalidSignature' });
    expect(await read(server.project.tokens.sign({ scope: 'upload', url }, 60))).toMatchObject({
      message: 'Token is not scoped for download',
    });
  });

  it('of a rendered picture does not open the original', async () => {
    const transform = { width: 10, height: 10 };
    const { data } = await avatars(ada).createSignedUrl(mine, 60, { transform });
    const original = data!.signedUrl.replace('/render/image/sign/', '/object/sign/');
    for (const method of ['GET', 'HEAD']) expect((await fetch(original, { method })).status).toBe(400);
    expect(await (await fetch(original)).json()).toMatchObject({
      statusCode: '400',
      code: 'InvalidSignature',
      message: 'Token is signed for a rendered image',
    });
  });

  it('gives its holder no other right', async () => {
    const { data } = await avatars(ada).createSignedUrl(mine, 60);
    const token = new URL(data!.signedUrl).searchParams.get('token')!;
    const thief = server.client(token);
    expect((await thief.storage.from('avatars').list(ada.id)).data).toEqual([]);
    expect((await thief.storage.from('avatars').upload(`${ada.id}/x`, 'x')).error).toMatchObject({
      statusCode: '403',
    });
  });
});

describe('a signed upload URL', () => {
  it('lets its holder upload the one object, which belongs to who signed it', async () => {
    const name = `${ada.id}/given.txt`;
    const { data } = await avatars(ada).createSignedUploadUrl(name);
    const anyone = server.client().storage.from('avatars');
    expect((await anyone.uploadToSignedUrl(name, data!.token, 'gift')).error).toBeNull();
    expect(await (await avatars(ada).download(name)).data!.text()).toBe('gift');
    const { rows } = await server.project.database.query(
      'select owner_id from storage.objects where name = $1',
      [name],
    );
    expect(rows).toEqual([{ owner_id: ada.id }]);
    expect((await anyone.uploadToSignedUrl(name, data!.token, 'again')).error).toMatchObject({
      statusCode: '409',
    });
    expect((await anyone.uploadToSignedUrl(`${ada.id}/b.txt`, data!.token, 'x')).error).toMatchObject({
      message: 'Invalid signature',
    });
  });

  it('may replace when it was signed for that', async () => {
    const { data } = await avatars(ada).createSignedUploadUrl(mine, { upsert: true });
    const uploaded = await server
      .client()
      .storage.from('avatars')
      .uploadToSignedUrl(mine, data!.token, new Blob(['purr'], { type: 'text/plain' }));
    expect(uploaded.error).toBeNull();
    expect(await (await avatars(ada).download(mine)).data!.text()).toBe('purr');
  });

  it('is not made for where the caller may not upload', async () => {
    const eve = await server.person();
    expect((await avatars(eve).createSignedUploadUrl(`${ada.id}/evil.txt`)).error).toMatchObject({
      statusCode: '403',
    });
    expect((await avatars(eve).createSignedUploadUrl(mine)).error).toMatchObject({ status: 400 });
  });
});
