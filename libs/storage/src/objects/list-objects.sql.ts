import type { Sql } from '#libs/platform';

/** An object directly in the folder that is listed, or a folder in it: then all but `name` is null. */
export interface ListedEntry {
  /** Without the path of the folder. */
  readonly name: string;
  readonly id: string | null;
  readonly updated_at: Date | null;
  readonly created_at: Date | null;
  readonly last_accessed_at: Date | null;
  readonly metadata: object | null;
}

export interface Listing {
  readonly bucket: string;
  /** Empty, or a path that ends in `/`. */
  readonly prefix: string;
  /** What the names must begin with, whatever their case. */
  readonly search: string;
  readonly limit: number;
  readonly offset: number;
  readonly column: 'name' | 'updated_at' | 'created_at' | 'last_accessed_at';
  readonly order: 'asc' | 'desc';
}

/** One page of a folder: by name mixed, by a time all folders before all objects. */
export async function listFolder(sql: Sql, listing: Listing): Promise<ListedEntry[]> {
  const { bucket, prefix, search, limit, offset } = listing;
  const text = listing.column === 'name' ? byName(listing) : byTime(listing);
  const pattern = `${search.replace(/[\\%_]/g, '\\$&')}%`;
  const { rows } = await sql.query<ListedEntry>(text, [
    bucket,
    prefix,
    afterPrefix(prefix),
    pattern,
    limit,
    offset,
  ]);
  return rows;
}

const objectColumns = 'o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata';

/** The first name that no longer begins with `prefix`: `0` follows `/` in byte order. */
function afterPrefix(prefix: string): string | null {
  return prefix === '' ? null : `${prefix.slice(0, -1)}0`;
}

/** Names below the prefix, as a range that the index on (bucket_id, name) can walk. */
function inFolder(prefix: string): string {
  return prefix === '' ? '$3::text is null' : 'o.name < $3';
}

/**
 * Walks the index from entry to entry and jumps over everything inside a folder once it is known, so a page costs
 * as many steps as it has entries, however many objects the folders hold. PostgreSQL evaluates the recursion only
 * as far as LIMIT asks for.
 */
function byName({ prefix, order }: Listing): string {
  const child = 'substr(w.full_name, length($2) + 1)';
  const isFolder = `strpos(${child}, '/') > 0`;
  const folder = `$2 || split_part(${child}, '/', 1)`;
  // E'\\x01' is the least character there is: nothing lies between a name and the name with it.
  const next =
    order === 'asc'
      ? `o.name >= case when ${isFolder} then ${folder} || '0' else w.full_name || E'\\x01' end`
      : `o.name < case when ${isFolder} then ${folder} || '/' else w.full_name end`;
  const step = (condition: string) =>
    `select o.name as full_name, ${objectColumns} from storage.objects o
     where o.bucket_id = $1 and o.name >= $2 and ${inFolder(prefix)} and ${condition}
     order by o.name ${order} limit 1`;
  return `with recursive walk as (
      (${step('true')})
      union all
      select following.* from walk w cross join lateral (${step(next)}) following
    ), entries as (
      select split_part(${child}, '/', 1) as name, ${isFolder} as is_folder, w.* from walk w
    )
    select e.name,
      case when not e.is_folder then e.id end as id,
      case when not e.is_folder then e.updated_at end as updated_at,
      case when not e.is_folder then e.created_at end as created_at,
      case when not e.is_folder then e.last_accessed_at end as last_accessed_at,
      case when not e.is_folder then e.metadata end as metadata
    from entries e where e.name <> '' and e.name ilike $4 limit $5 offset $6`;
}

function byTime({ prefix, column, order }: Listing): string {
  const child = 'substr(o.name, length($2) + 1)';
  const below = `from storage.objects o
    where o.bucket_id = $1 and o.name >= $2 and ${inFolder(prefix)} and ${child} ilike $4`;
  return `with folders as (
      select distinct split_part(${child}, '/', 1) as name ${below} and strpos(${child}, '/') > 0
    ), entries as (
      select 0 as rank, f.name, null::uuid as id, null::timestamptz as updated_at,
        null::timestamptz as created_at, null::timestamptz as last_accessed_at, null::jsonb as metadata
      from folders f
      union all
      select 1, ${child}, ${objectColumns} ${below} and strpos(${child}, '/') = 0 and ${child} <> ''
    )
    select e.name, e.id, e.updated_at, e.created_at, e.last_accessed_at, e.metadata
    from entries e order by e.rank, e.${column} ${order}, e.name ${order} limit $5 offset $6`;
}
