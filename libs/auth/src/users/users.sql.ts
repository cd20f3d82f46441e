import type { Sql } from '#libs/platform';
import type { User, UserWithPassword } from './user.js';

/** GoTrue's only instance. */
const instanceId = '00000000-0000-0000-0000-000000000000';

const userColumns = `
  u.id, u.aud, u.role, u.email, u.phone, u.email_confirmed_at, u.phone_confirmed_at, u.confirmed_at,
  u.invited_at, u.confirmation_sent_at, u.recovery_sent_at, u.email_change, u.email_change_sent_at,
  u.phone_change, u.phone_change_sent_at, u.reauthentication_sent_at, u.last_sign_in_at,
  u.raw_app_meta_data, u.raw_user_meta_data, u.created_at, u.updated_at, u.banned_until, u.deleted_at,
  u.is_sso_user, u.is_anonymous,
  coalesce((
    select jsonb_agg(to_jsonb(i) order by i.created_at) from auth.identities i where i.user_id = u.id
  ), '[]') as identities,
  coalesce((
    select jsonb_agg(
      to_jsonb(f) - '{secret,web_authn_credential,last_webauthn_challenge_data}'::text[] order by f.created_at
    )
    from auth.mfa_factors f where f.user_id = u.id
  ), '[]') as factors`;

/** The user with this id, unless deleted. */
export async function findUser(tx: Sql, id: string): Promise<User | null> {
  const { rows } = await tx.query<User>(
    `select ${userColumns} from auth.users u where u.id = $1 and u.deleted_at is null`,
    [id],
  );
  return rows[0] ?? null;
}

export async function findUserWithPassword(tx: Sql, id: string): Promise<UserWithPassword | null> {
  const { rows } = await tx.query<UserWithPassword>(
    `select ${userColumns}, u.encrypted_password from auth.users u where u.id = $1 and u.deleted_at is null`,
    [id],
  );
  return rows[0] ?? null;
}

/** The user who signs in with `email` (in lower case) and a password, unless deleted. */
export async function findUserByEmail(tx: Sql, email: string): Promise<UserWithPassword | null> {
  const { rows } = await tx.query<UserWithPassword>(
    `select ${userColumns}, u.encrypted_password
     from auth.users u
     where lower(u.email) = $1 and u.is_sso_user = false and u.deleted_at is null
     order by u.created_at
     limit 1`,
    [email],
  );
  return rows[0] ?? null;
}

export async function emailIsTaken(tx: Sql, email: string, exceptUserId: string | null): Promise<boolean> {
  const { rowCount } = await tx.query(
    `select from auth.users
     where lower(email) = $1 and is_sso_user = false and id is distinct from $2::uuid
     limit 1`,
    [email, exceptUserId],
  );
  return rowCount > 0;
}

/** Inserts a user that is not confirmed yet. Text columns that GoTrue cannot read as null are empty. */
export async function insertUser(
  tx: Sql,
  user: { id: string; email: string; passwordHash: string; metadata: Record<string, unknown> },
): Promise<void> {
  await tx.query(
    `insert into auth.users (
       instance_id, id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data,
       confirmation_token, recovery_token, email_change_token_new, email_change, created_at, updated_at
     ) values (
       $1, $2, 'authenticated', 'authenticated', $3, $4,
       '{"provider":"email","providers":["email"]}', $5, '', '', '', '', now(), now()
     )`,
    [instanceId, user.id, user.email, user.passwordHash, JSON.stringify(user.metadata)],
  );
}

export async function insertEmailIdentity(
  tx: Sql,
  userId: string,
  identityData: Record<string, unknown>,
): Promise<void> {
  await tx.query(
    `insert into auth.identities (
       provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at
     ) values ($1::text, $1::uuid, $2, 'email', now(), now(), now())`,
    [userId, JSON.stringify(identityData)],
  );
}

/** Marks the address as confirmed: an update of its own, since apps hang triggers on that change. */
export async function confirmUser(tx: Sql, id: string, metadata: Record<string, unknown>): Promise<void> {
  await tx.query(
    `update auth.users
     set email_confirmed_at = now(), raw_user_meta_data = coalesce(raw_user_meta_data, '{}') || $2, updated_at = now()
     where id = $1`,
    [id, JSON.stringify(metadata)],
  );
}

/** Sets an address that needs no confirmation, for the account and for its way of signing in. */
export async function changeEmail(tx: Sql, id: string, email: string): Promise<void> {
  await tx.query(
    `with changed as (
       update auth.users
       set email = $2::text, email_confirmed_at = coalesce(email_confirmed_at, now()), email_change = '',
         raw_user_meta_data = case
           when raw_user_meta_data ? 'email' then raw_user_meta_data || jsonb_build_object('email', $2::text)
           else raw_user_meta_data
         end,
         updated_at = now()
       where id = $1
     )
     update auth.identities
     set identity_data = identity_data || jsonb_build_object('email', $2::text, 'email_verified', true),
       updated_at = now()
     where user_id = $1 and provider = 'email'`,
    [id, email],
  );
}

export async function changePassword(tx: Sql, id: string, passwordHash: string): Promise<void> {
  await tx.query('update auth.users set encrypted_password = $2, updated_at = now() where id = $1', [
    id,
    passwordHash,
  ]);
}

/** Lays `changes` over user_metadata, one level deep, and takes `removedKeys` out. */
export async function changeMetadata(
  tx: Sql,
  id: string,
  changes: Record<string, unknown>,
  removedKeys: readonly string[],
): Promise<void> {
  await tx.query(
    `update auth.users
     set raw_user_meta_data = (coalesce(raw_user_meta_data, '{}') || $2::jsonb) - $3::text[], updated_at = now()
     where id = $1`,
    [id, JSON.stringify(changes), removedKeys],
  );
}

/** Accounts that are not deleted. */
export async function countUsers(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ users: string }>(
    'select count(*) as users from auth.users where deleted_at is null',
  );
  return Number(rows[0]!.users);
}
