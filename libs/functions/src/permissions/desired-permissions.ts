import { quoteLiteral } from '#libs/platform';
import { createHash } from 'node:crypto';
import type { BucketAccess, Manifest } from '../manifest/manifest.js';
import type { DeclaredObjects } from './declared-objects.js';

/** One GRANT. */
export interface Grant {
  readonly on: 'schema' | 'table' | 'sequence' | 'function';
  /** `schema`, `schema.name`, or for a function `schema.name(argument types)`; not quoted. */
  readonly name: string;
  readonly privilege: 'usage' | 'select' | 'insert' | 'update' | 'delete' | 'execute';
}

/** One permissive row policy for the function's role alone. */
export interface Policy {
  /** `schema.name`, not quoted. */
  readonly table: string;
  readonly name: string;
  readonly command: 'select' | 'insert' | 'update' | 'delete';
  readonly using: string | null;
  readonly check: string | null;
}

export interface Permissions {
  readonly grants: readonly Grant[];
  readonly policies: readonly Policy[];
}

/** What several deployments need together. */
export function unionOf(all: readonly Permissions[]): Permissions {
  const once = <Item>(items: Item[]) => [
    ...new Map(items.map((item) => [JSON.stringify(item), item])).values(),
  ];
  return {
    grants: once(all.flatMap(({ grants }) => grants)),
    policies: once(all.flatMap(({ policies }) => policies)),
  };
}

/** The same for another role of the function: a table has no two policies of one name. */
export function underOtherNames({ grants, policies }: Permissions, suffix: string): Permissions {
  const renamed = policies.map((each) => {
    const base = each.name.slice(0, -digestChars);
    return { ...each, name: base + digestOf(`${each.name} ${suffix}`) };
  });
  return { grants, policies: renamed };
}

/** What a function's role may do: exactly what the manifest declares. */
export function desiredPermissions(slug: string, manifest: Manifest, declared: DeclaredObjects): Permissions {
  const database = databasePermissions(slug, manifest, declared);
  const storage = storagePermissions(slug, manifest.permissions.buckets);
  return {
    grants: withSchemas([...database.grants, ...storage.grants]),
    policies: [...database.policies, ...storage.policies],
  };
}

/** The part of it that the function may do in SQL of its own. */
export function loginPermissions(slug: string, manifest: Manifest, declared: DeclaredObjects): Permissions {
  const { grants, policies } = databasePermissions(slug, manifest, declared);
  return underOtherNames({ grants: withSchemas(grants), policies }, 'login');
}

function databasePermissions(slug: string, manifest: Manifest, declared: DeclaredObjects): Permissions {
  const { tables, rpc } = manifest.permissions;
  const grants: Grant[] = [];
  const policies: Policy[] = [];
  for (const [table, verbs] of Object.entries(tables)) {
    const found = declared.tables.get(table);
    if (!found) continue;
    for (const verb of new Set(verbs)) {
      grants.push({ on: 'table', name: table, privilege: verb });
      // Also where row-level security is off: the policy takes effect once it is turned on.
      if (found.canHavePolicies) policies.push(policy(slug, table, verb, 'true'));
    }
    // A serial column's default draws from its sequence with the rights of whoever inserts.
    if (!verbs.includes('insert')) continue;
    for (const name of found.sequences) grants.push({ on: 'sequence', name, privilege: 'usage' });
  }
  for (const name of new Set(rpc)) {
    for (const overload of declared.overloads.get(name) ?? []) {
      grants.push({ on: 'function', name: overload, privilege: 'execute' });
    }
  }
  return { grants, policies };
}

/** Nothing in a schema can be used without using the schema. */
function withSchemas(grants: readonly Grant[]): Grant[] {
  const schemas = new Set(grants.map((grant) => grant.name.split('.')[0]!));
  return [...[...schemas].map((name): Grant => ({ on: 'schema', name, privilege: 'usage' })), ...grants];
}

/** The storage calls that change objects and have to see their rows for it. */
const writingOperations = ['upload', 'upload_update', 'upload_signed', 'delete', 'delete_many', 'move'];

function storagePermissions(slug: string, buckets: Manifest['permissions']['buckets']): Permissions {
  const read = objectsIn(buckets, 'read');
  const write = objectsIn(buckets, 'write');
  const names = Object.keys(buckets).map((path) => quoteLiteral(path.split('/')[0]!));
  if (!read && !write) return { grants: [], policies: [] };
  const objects = 'storage.objects';
  const operations = writingOperations.map((operation) => `'storage.object.${operation}'`).join(', ');
  // An upsert or a deletion needs SELECT on the row (PostgreSQL manual, CREATE POLICY); a download does not get it.
  const seenToWrite = write && `(${write}) and storage.allow_any_operation(array[${operations}])`;
  const seen = [read, seenToWrite].filter((condition) => condition !== null).join(' or ');
  const grants: Grant[] = [
    { on: 'table', name: 'storage.buckets', privilege: 'select' },
    { on: 'table', name: objects, privilege: 'select' },
  ];
  const policies = [
    policy(slug, 'storage.buckets', 'select', `id in (${[...new Set(names)].join(', ')})`),
    policy(slug, objects, 'select', seen),
  ];
  if (!write) return { grants, policies };
  for (const verb of ['insert', 'update', 'delete'] as const) {
    grants.push({ on: 'table', name: objects, privilege: verb });
    policies.push(policy(slug, objects, verb, write));
  }
  return { grants, policies };
}

/** The condition on `storage.objects` that holds for what is declared with `access`; null when nothing is. */
function objectsIn(buckets: Manifest['permissions']['buckets'], access: BucketAccess): string | null {
  const conditions = Object.entries(buckets)
    .filter(([, accesses]) => accesses.includes(access))
    .map(([path]) => {
      const slash = path.indexOf('/');
      const inBucket = `bucket_id = ${quoteLiteral(slash < 0 ? path : path.slice(0, slash))}`;
      if (slash < 0) return inBucket;
      // A folder: `avatars/public` does not open `avatars/publicity.png`.
      const folder = `${path.slice(slash + 1).replace(/\/+$/, '')}/`;
      return `(${inBucket} and starts_with(name, ${quoteLiteral(folder)}))`;
    });
  return conditions.length > 0 ? conditions.join(' or ') : null;
}

/**
 * A policy's name holds a digest of its condition, so that a changed policy is a new one beside the old: both may
 * stand while one deployment takes over from another.
 */
function policy(slug: string, table: string, command: Policy['command'], condition: string): Policy {
  return {
    table,
    name: `galley ${slug} ${command} ${digestOf(condition)}`,
    command,
    using: command === 'insert' ? null : condition,
    check: command === 'insert' || command === 'update' ? condition : null,
  };
}

const digestChars = 8;

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digestChars);
}
