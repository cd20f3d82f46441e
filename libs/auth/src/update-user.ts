import { Injectable } from '@nestjs/common';
import type { Project, Sql } from '#libs/platform';
import { insertAuditEntry } from './audit.sql.js';
import type { Client } from './client.js';
import type { CurrentSession } from './current-session.js';
import {
  currentPasswordInvalid,
  emailExists,
  insufficientAal,
  notAdmin,
  phoneProviderDisabled,
  samePassword,
  userNotFound,
} from './errors.js';
import { PasswordHasher } from './passwords/password-hasher.js';
import { requireAcceptable } from './passwords/password-strength.js';
import { describeOrigin, type Origin } from './origin.sql.js';
import type { UpdateUserRequest } from './requests.js';
import { deleteAllSessions, deleteOtherSessions } from './sessions/sessions.sql.js';
import { requireFitting } from './users/metadata.js';
import { hasVerifiedFactor, type User } from './users/user.js';
import {
  changeEmail,
  changeMetadata,
  changePassword,
  emailIsTaken,
  findUser,
  findUserWithPassword,
  insertEmailIdentity,
} from './users/users.sql.js';

/** What is to change, checked and with the password hashed. */
interface Changes {
  readonly email: string | undefined;
  readonly passwordHash: string | undefined;
  readonly data: Record<string, unknown> | undefined;
}

/** Lets a person change their own account. */
@Injectable()
export class UpdateUser {
  constructor(private readonly passwords: PasswordHasher) {}

  /**
   * Applies all changes together and returns the user. No mail is sent, so a new address counts at once. A new
   * password ends the person's other sessions.
   *
   * @throws AppError `email_exists`, `same_password`, `weak_password`, `current_password_invalid`,
   *   `insufficient_aal`, `not_admin`, `phone_provider_disabled`, `validation_failed`.
   */
  async update(
    project: Project,
    current: CurrentSession,
    request: UpdateUserRequest,
    client: Client,
    origin: Origin,
  ): Promise<User> {
    requireAllowed(current, request);
    const changes = {
      email: request.email === current.user.email ? undefined : request.email,
      passwordHash: await this.#newHash(project, current.user, request),
      data: request.data,
    };
    try {
      return await project.database.asSystem(async (tx) => {
        await describeOrigin(tx, origin);
        return apply(tx, current, changes, client);
      });
    } catch (error) {
      const { code, constraint } = error as { code?: string; constraint?: string };
      throw code === '23505' && constraint === 'users_email_partial_key' ? emailExists() : error;
    }
  }

  async #newHash(project: Project, user: User, request: UpdateUserRequest): Promise<string | undefined> {
    const { password, current_password: currentPassword } = request;
    if (password === undefined) return undefined;
    requireAcceptable(password);
    const stored = (await findUserWithPassword(project.database, user.id))?.encrypted_password ?? null;
    if (currentPassword !== undefined && !(await this.passwords.verify(currentPassword, stored))) {
      throw currentPasswordInvalid();
    }
    if (await this.passwords.verify(password, stored)) throw samePassword();
    return this.passwords.hash(password);
  }
}

function requireAllowed({ user, session }: CurrentSession, request: UpdateUserRequest): void {
  if (request.app_metadata) throw notAdmin('Updating app_metadata requires admin privileges');
  if (request.phone && request.phone !== user.phone) throw phoneProviderDisabled('updates');
  const changesCredentials =
    request.password !== undefined || (request.email !== undefined && request.email !== user.email);
  if (changesCredentials && hasVerifiedFactor(user) && session?.aal !== 'aal2') throw insufficientAal();
}

async function apply(
  tx: Sql,
  { user, session }: CurrentSession,
  changes: Changes,
  client: Client,
): Promise<User> {
  if (changes.passwordHash !== undefined) {
    await changePassword(tx, user.id, changes.passwordHash);
    if (session) await deleteOtherSessions(tx, user.id, session.id);
    else await deleteAllSessions(tx, user.id);
    await insertAuditEntry(tx, 'user_updated_password', user, client.ip);
  }
  if (changes.data !== undefined) await applyMetadata(tx, user.id, changes.data);
  if (changes.email !== undefined) await applyEmail(tx, user, changes.email);
  await insertAuditEntry(tx, 'user_modified', user, client.ip);
  const updated = await findUser(tx, user.id);
  if (!updated) throw userNotFound();
  requireFitting(updated.raw_user_meta_data ?? {});
  return updated;
}

/** A key with the value null is taken out. */
async function applyMetadata(tx: Sql, userId: string, data: Record<string, unknown>): Promise<void> {
  const entries = Object.entries(data);
  const changed = Object.fromEntries(entries.filter(([, value]) => value !== null));
  const removedKeys = entries.filter(([, value]) => value === null).map(([key]) => key);
  await changeMetadata(tx, userId, changed, removedKeys);
}

async function applyEmail(tx: Sql, user: User, email: string): Promise<void> {
  if (await emailIsTaken(tx, email, user.id)) throw emailExists();
  await changeEmail(tx, user.id, email);
  if (!user.identities.some((identity) => identity.provider === 'email')) {
    await insertEmailIdentity(tx, user.id, {
      sub: user.id,
      email,
      email_verified: true,
      phone_verified: false,
    });
  }
}
