import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SupabaseClient } from '@supabase/supabase-js';
import { startStorage, type StorageServer } from './storage-server.js';

let server: StorageServer;
let admin: SupabaseClient;
beforeAll(async () => {
  server = await startStorage();
  ({ admin } = server);
});
afterAll(() => server.close());

describe('buckets', () => {
  it('are created, read, changed and deleted with a secret key', async () => {
    const created = await admin.storage.createBucket('docs', {
      public: false,
      fileSizeLimit: '20MB',
      allowedMimeTypes: ['application/pdf', 'image/*'],
    });
    expect(created).toEqual({ data: { name: 'docs' }, error: null });
    const { data } = await admin.storage.getBucket('docs');
    expect(data).toEqual({
      id: 'docs',
      name: 'docs',
      owner: '',
      public: false,
      type: 'STANDARD',
      file_size_limit: 20_000_000,
      allowed_mime_types: ['application/pdf', 'image/*'],
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      updated_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const updated = await admin.storage.updateBucket('docs', { public: true });
    expect(updated.data).toEqual({ message: 'Successfully updated' });
    expect((await admin.storage.getBucket('docs')).data).toMatchObject({
      public: true,
      file_size_limit: 20_000_000,
    });
    await admin.storage.updateBucket('docs', { public: true, fileSizeLimit: null, allowedMimeTypes: null });
    expect((await admin.storage.getBucket('docs')).data).toMatchObject({
      file_size_limit: null,
      allowed_mime_types: null,
    });
    expect((await admin.storage.deleteBucket('docs')).data).toEqual({ message: 'Successfully deleted' });
    expect((await admin.storage.getBucket('docs')).error).toMatchObject({
      message: 'Bucket not found',
      statusCode: '404',
      status: 400,
    });
  });

  it('are listed page by page, sorted and searched', async () => {
    for (const name of ['list-b', 'list-a', 'LIST-c']) await admin.storage.createBucket(name);
    const names = async (options: Parameters<typeof admin.storage.listBuckets>[0]) =>
      (await admin.storage.listBuckets(options)).data!.map((bucket) => bucket.name);
    expect(await names({ search: 'list-', sortColumn: 'name', sortOrder: 'desc' })).toHaveLength(3);
    expect(await names({ search: 'list-a' })).toEqual(['list-a']);
    expect(await names({ limit: 1, offset: 1, search: 'list-', sortColumn: 'created_at' })).toEqual([
      'list-a',
    ]);
    expect((await admin.storage.listBuckets({ limit: 0.5 })).error).toMatchObject({ statusCode: '400' });
  });

  it('are hidden from callers whom no policy shows them', async () => {
    const person = await server.person();
    expect((await person.client.storage.listBuckets()).data).toEqual([]);
    expect((await person.client.storage.createBucket('mine')).error).toMatchObject({
      message: 'new row violates row-level security policy',
      statusCode: '403',
    });
    expect((await person.client.storage.deleteBucket('site')).error).toMatchObject({ statusCode: '404' });
    expect((await person.client.storage.emptyBucket('site')).error).toMatchObject({ statusCode: '404' });
  });

  it('belong to the person who made them where a policy allows it', async () => {
    await server.project.database.query(
      `create policy "Make" on storage.buckets for insert to authenticated with check (true);
       create policy "See own" on storage.buckets for select to authenticated
         using (owner_id = current_setting('request.jwt.claims')::jsonb ->> 'sub')`,
    );
    const person = await server.person();
    expect((await person.client.storage.createBucket('persons-own')).error).toBeNull();
    expect((await person.client.storage.listBuckets()).data).toEqual([
      expect.objectContaining({ name: 'persons-own', owner: person.id }),
    ]);
  });

  it('are not deleted before they are empty', async () => {
    await admin.storage.createBucket('full');
    for (const name of ['a', 'b/c']) await admin.storage.from('full').upload(name, 'x');
    expect((await admin.storage.deleteBucket('full')).error).toMatchObject({
      message: 'The bucket you tried to delete is not empty',
      statusCode: '409',
    });
    const before = await server.versions();
    expect((await admin.storage.emptyBucket('full')).data).toEqual({ message: 'Successfully emptied' });
    expect(await server.versions()).toBe(before - 2);
    const removed = (await server.events()).filter((event) => event.name === 'object.removed');
    expect(removed.map((event) => event.payload['name'])).toEqual(['a', 'b/c']);
    expect((await admin.storage.deleteBucket('full')).error).toBeNull();
  });

  it.each([
    ['one that is there', 'site', {}, 'The resource already exists', '409'],
    ['a name with a slash', 'a/b', {}, 'Bucket name invalid', '400'],
    ['a size that is none', 'x', { fileSizeLimit: '20 elephants' }, /^Invalid file size format/, '400'],
    ['a size beyond the server’s', 'x', { fileSizeLimit: '20GB' }, /exceeded/, '413'],
    [
      'a type that is none',
      'x',
      { allowedMimeTypes: ['pictures'] },
      'mime type pictures is not supported',
      '415',
    ],
    ['analytics', 'x', { type: 'ANALYTICS' as const }, /^Analytics storage is not available/, '409'],
  ])('cannot be created as %s', async (_, name, options, message, statusCode) => {
    const { error } = await admin.storage.createBucket(name, { public: false, ...options });
    expect(error).toMatchObject({
      message: message instanceof RegExp ? expect.stringMatching(message) : message,
      statusCode,
    });
  });

  it('need a body that is JSON', async () => {
    const authorization = `Bearer ${server.keys.secretKey}`;
    const send = (body: string) =>
      server.fetch('/bucket', { method: 'POST', headers: { authorization }, body });
    expect(await (await send('{')).json()).toMatchObject({ statusCode: '400', code: 'InvalidRequest' });
    expect(await (await send('{}')).json()).toMatchObject({ message: expect.stringMatching(/^name: /) });
  });
});
