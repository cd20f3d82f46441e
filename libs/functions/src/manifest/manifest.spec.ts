import { describe, expect, it } from '@jest/globals';
import { parse } from 'smol-toml';
import { parseManifest } from './manifest.js';
import { subscriptionsOf } from './subscriptions.js';

const read = (toml: string) =>
  parseManifest('thumbs', (parse(toml) as { functions: { thumbs: unknown } }).functions.thumbs);

const problemOf = (manifest: unknown) => {
  try {
    parseManifest('thumbs', manifest);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no problem';
};

describe('a manifest', () => {
  it('is read from the table of galley.toml, with defaults for the rest', () => {
    const manifest = read(`
      [functions.thumbs]
      timeout_ms = 30000
      [[functions.thumbs.on]]
      event = "object.created"
      bucket = "avatars"
      [functions.thumbs.permissions]
      tables = { "public.profiles" = ["select", "update"] }
      buckets = { avatars = ["read"], "thumbs/small" = ["read", "write"] }
      hosts = ["api.example.com", "api.example.com:8443", "*.example.org"]
    `);
    expect(manifest).toEqual({
      verify_jwt: true,
      memory_mb: 256,
      timeout_ms: 30_000,
      websocket_timeout_ms: 400_000,
      max_instances: 4,
      min_instances: 0,
      concurrency: 1,
      policy: 'per_worker',
      attempts: 8,
      check: true,
      on: [{ event: 'object.created', bucket: 'avatars' }],
      schedule: [],
      permissions: {
        tables: { 'public.profiles': ['select', 'update'] },
        buckets: { avatars: ['read'], 'thumbs/small': ['read', 'write'] },
        hosts: ['api.example.com', 'api.example.com:8443', '*.example.org'],
        secrets: [],
        egress_secrets: {},
        queues: {},
        rpc: [],
        service_role: false,
        database_url: false,
      },
    });
  });

  it('denies everything when it declares nothing', () => {
    expect(parseManifest('thumbs', undefined).permissions).toEqual({
      tables: {},
      buckets: {},
      hosts: [],
      secrets: [],
      egress_secrets: {},
      queues: {},
      rpc: [],
      service_role: false,
      database_url: false,
    });
  });

  it.each([
    [{ memory: 1 }, /^functions\.thumbs: unknown key "memory"; expected verify_jwt, memory_mb, /],
    [{ memory_mb: 1 }, /^functions\.thumbs\.memory_mb: expected a whole number from 32 to 8192$/],
    [{ timeout_ms: '1s' }, /^functions\.thumbs\.timeout_ms: expected a whole number/],
    [{ on: [{ event: 'cron' }] }, /^functions\.thumbs\.on\[0\]\.event: expected one of user\.created, /],
    [{ on: [{ event: 'row.updated' }] }, /on\[0\]\.table: expected "schema\.table"/],
    [{ on: [{ event: 'row.updated', table: 'posts' }] }, /on\[0\]\.table: expected "schema\.name"/],
    [{ on: [{ event: 'row.updated', table: 'auth.users' }] }, /on\[0\]\.table: tables of the platform/],
    [
      { on: [{ event: 'user.created', bucket: 'a' }] },
      /on\[0\]\.bucket: user\.created has no bucket; expected no filter/,
    ],
    [
      { on: [{ event: 'row.inserted', table: 'a.b', columns: ['c'] }] },
      /on\[0\]\.columns: row\.inserted has no columns; expected table, when$/,
    ],
    [
      { on: [{ event: 'row.inserted', table: 'a.b', ordering_key: 'c', batch: { size: 2 } }] },
      /on\[0\]\.ordering_key: a subscription has either an order or batches$/,
    ],
    [
      { on: [{ event: 'object.created', ordering_key: 'metadata' }] },
      /on\[0\]\.ordering_key: object\.created is ordered by id, name, bucket_id, owner_id$/,
    ],
    [
      { on: [{ event: 'user.created', batch: { size: 0 } }] },
      /on\[0\]\.batch\.size: expected a whole number/,
    ],
    [
      { on: [{ event: 'user.created', retry: { delays_ms: [] } }] },
      /on\[0\]\.retry: expected \{ delays_ms = /,
    ],
    [
      { on: [{ event: 'object.created', table: 'a.b' }] },
      /object\.created has no table; expected bucket, prefix/,
    ],
    [
      { permissions: { tables: { 'public.posts': ['read'] } } },
      /permissions\.tables\."public\.posts"\[0\]: expected select, insert, update, delete$/,
    ],
    [
      { permissions: { tables: { posts: ['select'] } } },
      /permissions\.tables\.posts: expected "schema\.name"/,
    ],
    [
      { permissions: { tables: { 'galley.outbox': ['insert'] } } },
      /tables of the platform cannot be named here/,
    ],
    [
      { permissions: { buckets: { 'a//': ['list'] } } },
      /permissions\.buckets\."a\/\/"\[0\]: expected read, write/,
    ],
    [
      { permissions: { hosts: ['https://example.com'] } },
      /permissions\.hosts\[0\]: expected "host", .* without https:/,
    ],
    [{ permissions: { hosts: 'example.com' } }, /permissions\.hosts: expected a list$/],
    [{ permissions: { hosts: ['example.com:99999'] } }, /permissions\.hosts\[0\]: expected "host"/],
    [{ permissions: { hosts: ['example.com:0'] } }, /permissions\.hosts\[0\]: expected "host"/],
    [{ permissions: { hosts: ['[::::1]'] } }, /permissions\.hosts\[0\]: expected "host"/],
    [{ permissions: { hosts: ['[fe80::1%eth0]'] } }, /permissions\.hosts\[0\]: expected "host"/],
    [
      { permissions: { rpc: ['pg_catalog.pg_read_file'] } },
      /permissions\.rpc\[0\]: functions of the platform and of PostgreSQL cannot be named/,
    ],
    [{ permissions: { rpc: ['galley.append_event'] } }, /permissions\.rpc\[0\]: functions of the platform/],
    [{ cpu_ms: 5 }, /^functions\.thumbs\.cpu_ms: expected a whole number from 10 to 900000$/],
    [{ policy: 'per_call' }, /^functions\.thumbs\.policy: expected per_worker, per_request, oneshot$/],
    [
      { policy: 'oneshot', concurrency: 2 },
      /^functions\.thumbs\.concurrency: expected 1: with policy "oneshot"/,
    ],
    [{ policy: 'per_request', concurrency: 2 }, /\.concurrency: expected 1: with policy "per_request"/],
    [{ min_instances: 5 }, /^functions\.thumbs\.min_instances: expected at most max_instances, which is 4$/],
    [{ isolation: 'weak' }, /^functions\.thumbs\.isolation: expected "strong", or nothing$/],
    [{ check: 'no' }, /^functions\.thumbs\.check: expected true or false$/],
    [
      { permissions: { secrets: ['SUPABASE_URL'] } },
      /permissions\.secrets\[0\]: names that start with SUPABASE_/,
    ],
    [{ permissions: { secrets: ['LD_PRELOAD'] } }, /permissions\.secrets\[0\]: names that start with/],
    [
      { permissions: { egress_secrets: { KEY: ['*.example.com'] } } },
      /permissions\.egress_secrets\.KEY\[0\]: expected "host" or "host:port" in full/,
    ],
    [
      { permissions: { egress_secrets: { KEY: [] } } },
      /permissions\.egress_secrets\.KEY: expected at least one host$/,
    ],
    [{ permissions: { egress_secrets: { LD_PRELOAD: ['a.test'] } } }, /names that start with SUPABASE_/],
    [
      { permissions: { secrets: ['KEY'], egress_secrets: { KEY: ['a.test'] } } },
      /permissions: KEY is in both secrets and egress_secrets/,
    ],
    [
      {
        permissions: {
          egress_secrets: Object.fromEntries(
            ['A', 'B'].map((name) => [name, Array.from({ length: 60 }, (_, n) => `${name}${n}.test`)]),
          ),
        },
      },
      /permissions: expected at most 100 hosts in egress_secrets$/,
    ],
    [{ permissions: { service_role: 'yes' } }, /permissions\.service_role: expected true or false/],
    [{ permissions: { files: [] } }, /permissions: unknown key "files"; expected tables, buckets, hosts,/],
  ])('refuses %j by naming the key and what was expected', (manifest, message) => {
    expect(problemOf(manifest)).toMatch(message);
  });
});

it.each(['example.com:65535', '[::1]', '[::ffff:1.2.3.4]:80', '1.2.3.4:80', '*.a_b.com:443'])(
  'a manifest may name the host %s',
  (host) => {
    expect(problemOf({ permissions: { hosts: [host] } })).toBe('no problem');
  },
);

describe('subscriptions', () => {
  const manifest = (on: unknown[]) => parseManifest('thumbs', { on });

  it('keep their id over deployments, whatever order their filter is written in', () => {
    const [one] = subscriptionsOf(
      'p',
      'thumbs',
      manifest([{ event: 'object.created', bucket: 'a', prefix: 'b/' }]),
    );
    const [two] = subscriptionsOf(
      'p',
      'thumbs',
      manifest([{ prefix: 'b/', bucket: 'a', event: 'object.created' }]),
    );
    expect(two).toEqual(one);
    expect(one!.filter).toEqual({ bucket: 'a', prefix: 'b/' });
  });

  it('are one when declared twice, and differ by project, function, event and filter', () => {
    const twice = manifest([{ event: 'user.created' }, { event: 'user.created' }]);
    expect(subscriptionsOf('p', 'thumbs', twice)).toHaveLength(1);
    const on = manifest([
      { event: 'object.created' },
      { event: 'object.removed' },
      { event: 'object.created', bucket: 'a' },
    ]);
    const ids = [
      ['p', 'f'],
      ['p', 'g'],
      ['q', 'f'],
    ].flatMap(([ref, slug]) => subscriptionsOf(ref!, slug!, on));
    expect(new Set(ids.map(({ id }) => id)).size).toBe(9);
  });
});
