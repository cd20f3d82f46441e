import { describe, expect, it } from '@jest/globals';
import { parseManifest } from '../manifest/manifest.js';
import type { DeclaredObjects } from './declared-objects.js';
import { desiredPermissions } from './desired-permissions.js';
import { roleName } from './function-role.js';
import { changes } from './sync-permissions.js';

const nothing = { grants: [], policies: [] };
const declared: DeclaredObjects = {
  tables: new Map([
    [
      'public.posts',
      { canHavePolicies: true, canBeWatched: true, columns: new Map(), sequences: ['public.posts_id_seq'] },
    ],
    ['public.feed', { canHavePolicies: false, canBeWatched: false, columns: new Map(), sequences: [] }],
  ]),
  overloads: new Map([['public.add', ['public.add(integer)', 'public.add(numeric, text)']]]),
};
const desired = (permissions: unknown) =>
  desiredPermissions('f', parseManifest('f', { permissions }), declared);
const statements = (permissions: unknown) => changes('role', desired(permissions), nothing, true);

describe('the permissions of a function', () => {
  it('are none when none are declared', () => {
    expect(desired({})).toEqual(nothing);
  });

  it('are the declared verbs on the declared tables, through row-level security', () => {
    expect(statements({ tables: { 'public.posts': ['select', 'update'] } })).toEqual([
      'grant usage on schema "public" to "role"',
      'grant select on table "public"."posts" to "role"',
      'grant update on table "public"."posts" to "role"',
      expect.stringMatching(
        /^create policy "galley f select \w{8}" on "public"."posts" for select to "role" using \(true\)$/,
      ),
      expect.stringMatching(/^create policy "galley f update \w{8}" .* using \(true\) with check \(true\)$/),
    ]);
  });

  it('include the sequences that an insert draws from, and no policies on views', () => {
    expect(statements({ tables: { 'public.posts': ['insert'] } })).toContain(
      'grant usage on sequence "public"."posts_id_seq" to "role"',
    );
    expect(desired({ tables: { 'public.feed': ['select'] } }).policies).toEqual([]);
  });

  it('include every overload of a declared database function', () => {
    expect(statements({ rpc: ['public.add'] })).toEqual([
      'grant usage on schema "public" to "role"',
      'grant execute on function "public"."add"(integer) to "role"',
      'grant execute on function "public"."add"(numeric, text) to "role"',
    ]);
  });

  it('end at the bucket and at the folder', () => {
    const { policies, grants } = desired({ buckets: { "it's": ['read'], 'b/f': ['write'] } });
    const on = (command: string) =>
      policies.find((p) => p.table === 'storage.objects' && p.command === command);
    const folder = "(bucket_id = 'b' and starts_with(name, 'f/'))";
    expect(on('insert')).toMatchObject({ using: null, check: folder });
    expect(on('update')).toMatchObject({ using: folder, check: folder });
    expect(on('delete')).toMatchObject({ using: folder, check: null });
    expect(on('select')?.using).toContain("bucket_id = 'it''s' or");
    expect(policies.find((p) => p.table === 'storage.buckets')?.using).toBe("id in ('it''s', 'b')");
    expect(grants.map((grant) => `${grant.privilege} ${grant.name}`)).toEqual([
      'usage storage',
      'select storage.buckets',
      'select storage.objects',
      'insert storage.objects',
      'update storage.objects',
      'delete storage.objects',
    ]);
  });

  it('let a function that may only write see rows for writing, and not download', () => {
    const using = desired({ buckets: { b: ['write'] } }).policies.find(
      (p) => p.table === 'storage.objects' && p.command === 'select',
    )?.using;
    expect(using).toMatch(/^\(bucket_id = 'b'\) and storage\.allow_any_operation/);
    expect(using).not.toContain('get_authenticated');
  });
});

describe('a change of permissions', () => {
  const wanted = desired({ tables: { 'public.posts': ['select'] } });
  const held = desired({ tables: { 'public.posts': ['delete'] } });

  it('is nothing when they are held already', () => {
    expect(changes('role', wanted, wanted, true)).toEqual([]);
  });

  it('takes back what is no longer declared', () => {
    expect(changes('role', wanted, held, true)).toEqual([
      expect.stringMatching(/^drop policy "galley f delete \w{8}" on "public"."posts"$/),
      'revoke delete on table "public"."posts" from "role"',
      'grant select on table "public"."posts" to "role"',
      expect.stringMatching(/^create policy "galley f select/),
    ]);
  });

  it('only adds while the old deployment still answers', () => {
    const added = changes('role', wanted, held, false);
    expect(added).toHaveLength(2);
    expect(added.join()).not.toMatch(/drop|revoke/);
  });
});

describe('the role of a function', () => {
  it('fits an identifier and differs by database, project and function', () => {
    const long = 'a'.repeat(40);
    const names = [
      roleName('db', 'p', long),
      roleName('db2', 'p', long),
      roleName('db', 'q', long),
      roleName('db', 'p', `${long.slice(1)}b`),
    ];
    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
  });
});
