import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startStorage, type Person, type StorageServer } from './storage-server.js';

let server: StorageServer;
let ada: Person;

beforeAll(async () => {
  server = await startStorage();
});
afterAll(() => server.close());
beforeEach(async () => {
  ada = await server.person();
  await server.project.database.query('truncate galley.outbox');
});

const avatars = (person: Person) => person.client.storage.from('avatars');

async function uploadAll(...names: string[]) {
  for (const name of names) {
    const { error } = await avatars(ada).upload(`${ada.id}/${name}`, name);
    if (error) throw error;
  }
}

describe('a listing', () => {
  const names = ['b.txt', 'a/1.txt', 'a/2.txt', 'a/deep/3.txt', 'c-d_e.txt', 'Zoo/x.txt', 'a.txt'];
  type Options = Parameters<ReturnType<typeof avatars>['list']>[1];
  const listed = async (path: string, options?: Options) => {
    const { data, error } = await avatars(ada).list(`${ada.id}${path}`, options);
    if (error) throw error;
    return data.map((entry) => (entry.id === null ? `${entry.name}/` : entry.name));
  };

  it('shows one folder: objects with their metadata, folders with none', async () => {
    await uploadAll(...names);
    const { data } = await avatars(ada).list(ada.id);
    expect(data!.map((entry) => entry.name)).toEqual(['Zoo', 'a.txt', 'a', 'b.txt', 'c-d_e.txt']);
    expect(data![2]).toEqual({
      name: 'a',
      id: null,
      updated_at: null,
      created_at: null,
      last_accessed_at: null,
      metadata: null,
    });
    expect(data![1]).toMatchObject({
      name: 'a.txt',
      id: expect.any(String),
      created_at: expect.stringMatching(/Z$/),
      metadata: { size: 5, mimetype: 'text/plain;charset=UTF-8', cacheControl: 'max-age=3600' },
    });
    expect(await listed('/a')).toEqual(['1.txt', '2.txt', 'deep/']);
    expect(await listed('/a/')).toEqual(['1.txt', '2.txt', 'deep/']);
    expect(await listed('/nothing')).toEqual([]);
  });

  it('sorts names as S3 does, by the bytes of the whole path, folders among objects', async () => {
    await uploadAll('x/1', 'x.a', 'x0', 'x-b');
    expect(await listed('')).toEqual(['x-b', 'x.a', 'x/', 'x0']);
  });

  it('is sorted, paged and searched', async () => {
    await uploadAll(...names);
    expect(await listed('', { sortBy: { column: 'name', order: 'desc' } })).toEqual([
      'c-d_e.txt',
      'b.txt',
      'a/',
      'a.txt',
      'Zoo/',
    ]);
    expect(await listed('', { sortBy: { column: 'created_at', order: 'desc' } })).toEqual([
      'a/',
      'Zoo/',
      'a.txt',
      'c-d_e.txt',
      'b.txt',
    ]);
    expect(await listed('', { limit: 2, offset: 1 })).toEqual(['a.txt', 'a/']);
    expect(await listed('', { limit: 2, offset: 4 })).toEqual(['c-d_e.txt']);
    expect(await listed('', { search: 'A' })).toEqual(['a.txt', 'a/']);
    expect(await listed('', { search: '%' })).toEqual([]);
    expect(await listed('', { search: 'c-d_', sortBy: { column: 'updated_at', order: 'asc' } })).toEqual([
      'c-d_e.txt',
    ]);
  });

  it('agrees with a plain query on whatever names there are', async () => {
    const odd = ['a', 'a/b', 'a!', 'a0', 'a/b/c', 'a.b', 'A', 'ab/c', 'b/c', '!!!', 'z/y/x', 'a//x'];
    await server.admin.storage.createBucket('odd');
    for (const name of odd) await server.admin.storage.from('odd').upload(name, 'x');
    for (const order of ['asc', 'desc']) {
      const { data } = await server.admin.storage.from('odd').list('', { sortBy: { column: 'name', order } });
      const expected = [
        ...new Set(odd.map((name) => (name.includes('/') ? `${name.split('/')[0]}/` : name))),
      ];
      expect(data!.map((entry) => (entry.id === null ? `${entry.name}/` : entry.name)).toSorted()).toEqual(
        expected.toSorted(),
      );
    }
  });

  it('shows what the policies show', async () => {
    await uploadAll('a.txt');
    const eve = await server.person();
    expect((await avatars(eve).list(ada.id)).data).toEqual([]);
    expect((await avatars(ada).list('')).data).toEqual([expect.objectContaining({ name: ada.id, id: null })]);
  });

  it.each([[{ limit: 0 }], [{ offset: -1 }], [{ sortBy: { column: 'size' } }]])(
    'refuses %j',
    async (options) => {
      expect((await avatars(ada).list('', options)).error).toMatchObject({ statusCode: '400', status: 400 });
    },
  );
});

describe('a removal', () => {
  it('takes rows, bytes and tells of it, in one request', async () => {
    await uploadAll('a.txt', 'b.txt', 'c.txt');
    await server.project.database.query('truncate galley.outbox');
    const before = await server.versions();
    const { data } = await avatars(ada).remove(
      ['a.txt', 'b.txt', 'none.txt'].map((name) => `${ada.id}/${name}`),
    );
    expect(data!.map((object) => object.name).toSorted()).toEqual([`${ada.id}/a.txt`, `${ada.id}/b.txt`]);
    expect(data![0]).toMatchObject({ bucket_id: 'avatars', owner: ada.id, metadata: { size: 5 } });
    expect(data![0]).not.toHaveProperty('record');
    expect(await server.versions()).toBe(before - 2);
    const events = await server.events();
    expect(events.map((event) => [event.name, event.payload['sizeBytes']])).toEqual([
      ['object.removed', 5],
      ['object.removed', 5],
    ]);
  });

  it('leaves what a policy protects', async () => {
    await uploadAll('a.txt');
    const eve = await server.person();
    expect((await avatars(eve).remove([`${ada.id}/a.txt`])).data).toEqual([]);
    expect((await avatars(ada).exists(`${ada.id}/a.txt`)).data).toBe(true);
    const one = await server.fetch(`/object/avatars/${ada.id}/a.txt`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${eve.token}` },
    });
    expect(await one.json()).toMatchObject({ statusCode: '403', message: 'Access denied' });
  });

  it('takes one object by its path', async () => {
    await uploadAll('a.txt');
    const remove = () =>
      server.fetch(`/object/avatars/${ada.id}/a.txt`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${ada.token}` },
      });
    expect(await (await remove()).json()).toEqual({ message: 'Successfully deleted' });
    expect(await (await remove()).json()).toMatchObject({ statusCode: '404', code: 'NoSuchKey' });
  });

  it('of too many names is refused', async () => {
    const names = Array.from({ length: 1001 }, (_, i) => `x${i}`);
    expect((await avatars(ada).remove(names)).error).toMatchObject({ statusCode: '400' });
  });
});

describe('a move', () => {
  it('renames an object without touching its bytes, and one event tells of both places', async () => {
    await uploadAll('a.txt');
    const before = await avatars(ada).info(`${ada.id}/a.txt`);
    await server.project.database.query('truncate galley.outbox');
    const moved = await avatars(ada).move(`${ada.id}/a.txt`, `${ada.id}/b/c.txt`);
    expect(moved.data).toMatchObject({ message: 'Successfully moved' });
    const after = await avatars(ada).info(`${ada.id}/b/c.txt`);
    expect(after.data).toMatchObject({ id: before.data!.id, version: before.data!.version });
    expect((await avatars(ada).exists(`${ada.id}/a.txt`)).data).toBe(false);
    expect(await server.events()).toMatchObject([
      {
        name: 'object.moved',
        payload: {
          bucket: 'avatars',
          name: `${ada.id}/b/c.txt`,
          from: { bucket: 'avatars', name: `${ada.id}/a.txt` },
          record: { name: `${ada.id}/b/c.txt` },
          old_record: { name: `${ada.id}/a.txt` },
        },
      },
    ]);
  });

  it('goes to another bucket where a policy lets it', async () => {
    await server.admin.storage.from('avatars').upload('from.txt', 'x');
    const bucket = server.admin.storage.from('avatars');
    expect((await bucket.move('from.txt', 'to.txt', { destinationBucket: 'site' })).error).toBeNull();
    expect((await server.admin.storage.from('site').exists('to.txt')).data).toBe(true);
    await uploadAll('a.txt');
    const forbidden = await avatars(ada).move(`${ada.id}/a.txt`, 'elsewhere.txt');
    expect(forbidden.error).toMatchObject({ statusCode: '403' });
  });

  it('does not overwrite, and needs an object it may see', async () => {
    await uploadAll('a.txt', 'b.txt');
    expect((await avatars(ada).move(`${ada.id}/a.txt`, `${ada.id}/b.txt`)).error).toMatchObject({
      statusCode: '409',
    });
    const eve = await server.person();
    expect((await avatars(eve).move(`${ada.id}/a.txt`, `${eve.id}/a.txt`)).error).toMatchObject({
      statusCode: '404',
    });
  });

  it('in opposite directions at once does not wait for ever', async () => {
    await uploadAll('a.txt');
    const there = () => avatars(ada).move(`${ada.id}/a.txt`, `${ada.id}/z.txt`);
    const back = () => avatars(ada).move(`${ada.id}/z.txt`, `${ada.id}/a.txt`);
    await Promise.all([there(), back(), there(), back(), there(), back()]);
    expect((await avatars(ada).list(ada.id)).data).toHaveLength(1);
  });
});

describe('a copy', () => {
  it('has bytes of its own', async () => {
    await uploadAll('a.txt');
    const before = await server.versions();
    const { data } = await avatars(ada).copy(`${ada.id}/a.txt`, `${ada.id}/b.txt`);
    expect(data).toEqual({ path: `avatars/${ada.id}/b.txt` });
    expect(await server.versions()).toBe(before + 1);
    await avatars(ada).remove([`${ada.id}/a.txt`]);
    const copied = await avatars(ada).download(`${ada.id}/b.txt`);
    expect(await copied.data!.text()).toBe('a.txt');
  });

  it('needs an object it may see and a place it may write', async () => {
    await uploadAll('a.txt');
    const eve = await server.person();
    const before = await server.versions();
    expect((await avatars(eve).copy(`${ada.id}/a.txt`, `${eve.id}/a.txt`)).error).toMatchObject({
      statusCode: '404',
    });
    expect((await avatars(ada).copy(`${ada.id}/a.txt`, `${eve.id}/a.txt`)).error).toMatchObject({
      statusCode: '403',
    });
    expect((await avatars(ada).copy(`${ada.id}/a.txt`, `${ada.id}/a.txt`)).error).toMatchObject({
      statusCode: '409',
    });
    expect(await server.versions()).toBe(before);
  });
});
