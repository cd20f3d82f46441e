import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startStorage, type StorageServer } from './storage-server.js';

let server: StorageServer;
beforeAll(async () => {
  server = await startStorage();
});
afterAll(() => server.close());

const query = <Row extends object>(text: string) => server.project.database.query<Row>(text);

describe('the storage schema', () => {
  it.each([
    [`storage.foldername('a/b/c.png')`, ['a', 'b']],
    [`storage.foldername('c.png')`, []],
    [`storage.filename('a/b/c.png')`, 'c.png'],
    [`storage.extension('a/b/c.tar.gz')`, 'gz'],
    [`storage.extension('a.b/none')`, 'none'],
    [`(storage.foldername('public/x/y'))[1]`, 'public'],
  ])('answers %s as Supabase does', async (expression, expected) => {
    const { rows } = await query<{ value: unknown }>(`select ${expression} as value`);
    expect(rows).toEqual([{ value: expected }]);
  });

  it('takes migrations written for Supabase', async () => {
    await query(`
      insert into storage.buckets (id, name, public, avif_autodetection, file_size_limit, allowed_mime_types)
      values ('covers', 'covers', true, false, 5242880, array['image/png', 'image/jpeg'])
      on conflict (id) do nothing;
      alter table storage.objects enable row level security;
      create policy "Give users access to own folder 1oj01fe_0" on storage.objects
        for select to public using (bucket_id = 'covers' and storage."extension"(name) = 'jpg'
          and lower((storage.foldername(name))[1]) = 'public' and path_tokens[1] = 'public');
      create policy "Only downloads" on storage.objects as restrictive for select to anon
        using (storage.allow_any_operation(array['object.get_authenticated', 'storage.object.list']));
      drop policy "Only downloads" on storage.objects;
      create index on storage.objects ((metadata ->> 'mimetype'));
    `);
    const { rows } = await query<{ type: string }>(`select type from storage.buckets where id = 'covers'`);
    expect(rows).toEqual([{ type: 'STANDARD' }]);
  });

  it('tells policies which call they are asked for', async () => {
    await server.admin.storage.createBucket('listed-only');
    await server.admin.storage.from('listed-only').upload('a.txt', 'x');
    await query(`create policy "List" on storage.objects for select to anon
      using (bucket_id = 'listed-only' and storage.allow_only_operation('object.list'))`);
    const anyone = server.client().storage.from('listed-only');
    expect((await anyone.list()).data).toHaveLength(1);
    expect((await anyone.download('a.txt')).error).toMatchObject({ statusCode: '404' });
  });

  it('lets a role of its own in by grants and policies alone', async () => {
    await query(`
      create role fn_thumbs nologin noinherit;
      grant fn_thumbs to authenticator;
      grant usage on schema storage to fn_thumbs;
      grant select, insert on storage.objects to fn_thumbs;
      create policy "thumbs reads" on storage.objects for select to fn_thumbs using (bucket_id = 'avatars');
      create policy "thumbs writes" on storage.objects for insert to fn_thumbs
        with check (bucket_id = 'avatars' and name like 'thumbs/%');
    `);
    await server.admin.storage.from('avatars').upload('me.png', 'x');
    const token = server.project.tokens.sign({ role: 'fn_thumbs' }, 60);
    const fn = server.client(token).storage.from('avatars');
    expect((await fn.download('me.png')).error).toBeNull();
    expect((await fn.list()).data).toHaveLength(1);
    expect((await fn.createSignedUrl('me.png', 60)).error).toBeNull();
    expect((await fn.upload('thumbs/me.png', 'x')).error).toBeNull();
    expect((await fn.upload('other/me.png', 'x')).error).toMatchObject({ statusCode: '403' });
    expect((await fn.upload('thumbs/me.png', 'y', { upsert: true })).error).toMatchObject({
      message: 'permission denied for table objects',
      statusCode: '403',
    });
    expect((await fn.remove(['me.png'])).error).toMatchObject({ statusCode: '403' });
    await query('grant update, delete on storage.objects to fn_thumbs');
    await query(
      `create policy "thumbs replaces" on storage.objects for update to fn_thumbs using (name like 'thumbs/%')`,
    );
    await query(
      `create policy "thumbs removes" on storage.objects for delete to fn_thumbs using (name like 'thumbs/%')`,
    );
    expect((await fn.upload('thumbs/me.png', 'y', { upsert: true })).error).toBeNull();
    expect((await fn.move('thumbs/me.png', 'thumbs/you.png')).error).toBeNull();
    expect((await fn.remove(['thumbs/you.png', 'me.png'])).data).toHaveLength(1);
    await query('drop owned by fn_thumbs; drop role fn_thumbs');
  });
});
