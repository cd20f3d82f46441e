/** A row of `auth.users` without its secrets, with the rows that belong to it. */
export interface User {
  id: string;
  aud: string | null;
  role: string | null;
  email: string | null;
  phone: string | null;
  email_confirmed_at: Date | null;
  phone_confirmed_at: Date | null;
  confirmed_at: Date | null;
  invited_at: Date | null;
  confirmation_sent_at: Date | null;
  recovery_sent_at: Date | null;
  email_change: string | null;
  email_change_sent_at: Date | null;
  phone_change: string | null;
  phone_change_sent_at: Date | null;
  reauthentication_sent_at: Date | null;
  last_sign_in_at: Date | null;
  raw_app_meta_data: Record<string, unknown> | null;
  raw_user_meta_data: Record<string, unknown> | null;
  created_at: Date | null;
  updated_at: Date | null;
  /** `Infinity` for PostgreSQL's 'infinity'. */
  banned_until: Date | number | null;
  deleted_at: Date | null;
  is_sso_user: boolean;
  is_anonymous: boolean;
  identities: Identity[];
  factors: Factor[];
}

/** A user together with what proves them: never leaves this lib. */
export interface UserWithPassword extends User {
  encrypted_password: string | null;
}

/** A row of `auth.identities`, as JSON. */
interface Identity {
  id: string;
  provider_id: string;
  user_id: string;
  identity_data: Record<string, unknown>;
  provider: string;
  email: string | null;
  last_sign_in_at: string | null;
  created_at: string | null;
  updated_at: string | null;
}

/** A row of `auth.mfa_factors` without its secret, as JSON. */
interface Factor {
  id: string;
  friendly_name: string | null;
  factor_type: string;
  status: 'unverified' | 'verified';
  phone: string | null;
  created_at: string;
  updated_at: string;
  last_challenged_at: string | null;
}

export function isBanned(user: User): boolean {
  return user.banned_until !== null && Number(user.banned_until) > Date.now();
}

export function hasVerifiedFactor(user: User): boolean {
  return user.factors.some((factor) => factor.status === 'verified');
}

/** The user object that clients get. What is empty is left out, save for `email` and `phone`. */
export function userJson(user: User): Record<string, unknown> {
  return {
    id: user.id,
    aud: user.aud ?? '',
    role: user.role ?? '',
    email: user.email ?? '',
    phone: user.phone ?? '',
    ...present({
      email_confirmed_at: time(user.email_confirmed_at),
      phone_confirmed_at: time(user.phone_confirmed_at),
      confirmed_at: time(user.confirmed_at),
      invited_at: time(user.invited_at),
      confirmation_sent_at: time(user.confirmation_sent_at),
      recovery_sent_at: time(user.recovery_sent_at),
      new_email: user.email_change,
      email_change_sent_at: time(user.email_change_sent_at),
      new_phone: user.phone_change,
      phone_change_sent_at: time(user.phone_change_sent_at),
      reauthentication_sent_at: time(user.reauthentication_sent_at),
      last_sign_in_at: time(user.last_sign_in_at),
      banned_until: time(user.banned_until),
      deleted_at: time(user.deleted_at),
    }),
    app_metadata: user.raw_app_meta_data ?? {},
    user_metadata: user.raw_user_meta_data ?? {},
    ...(user.factors.length > 0 && { factors: user.factors.map(factorJson) }),
    identities: user.identities.map(identityJson),
    created_at: time(user.created_at),
    updated_at: time(user.updated_at),
    is_anonymous: user.is_anonymous,
  };
}

/** The row as `user.created` tells it: the columns of `auth.users`, none of them secret. */
export function userRecord(user: User): Record<string, unknown> {
  const { identities: _identities, factors: _factors, ...row } = user;
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, value instanceof Date ? time(value) : value]),
  );
}

/** `id` is the provider's id and `identity_id` the row's: names that clients have relied on from early on. */
function identityJson(identity: Identity): Record<string, unknown> {
  return {
    identity_id: identity.id,
    id: identity.provider_id,
    user_id: identity.user_id,
    identity_data: identity.identity_data,
    provider: identity.provider,
    ...present({
      last_sign_in_at: time(identity.last_sign_in_at),
      created_at: time(identity.created_at),
      updated_at: time(identity.updated_at),
      email: identity.email,
    }),
  };
}

function factorJson(factor: Factor): Record<string, unknown> {
  return {
    id: factor.id,
    factor_type: factor.factor_type,
    status: factor.status,
    created_at: time(factor.created_at),
    updated_at: time(factor.updated_at),
    ...present({
      friendly_name: factor.friendly_name,
      phone: factor.phone,
      last_challenged_at: time(factor.last_challenged_at),
    }),
  };
}

/** RFC 3339 in UTC, which has no word for infinity. */
function time(value: Date | string | number | null): string | null {
  if (value === null) return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function present(fields: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== ''),
  );
}
