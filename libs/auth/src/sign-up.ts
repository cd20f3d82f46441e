import { Inject, Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { appendEvent } from '#libs/events';
import { CONFIG, rootOf, type Config, type Project, type Sql } from '#libs/platform';
import { insertAuditEntry } from './audit.sql.js';
import type { Client } from './client.js';
import {
  anonymousProviderDisabled,
  phoneProviderDisabled,
  signupDisabled,
  userAlreadyExists,
  userRefusedByDatabase,
  validationFailed,
} from './errors.js';
import { PasswordHasher } from './passwords/password-hasher.js';
import { requireAcceptable } from './passwords/password-strength.js';
import { describeOrigin, type Origin } from './origin.sql.js';
import { emailToSignUp, parseValue, type SignUpRequest } from './requests.js';
import { openSession } from './sessions/open-session.js';
import type { OpenSession } from './sessions/session-response.js';
import { requireFitting } from './users/metadata.js';
import { userRecord } from './users/user.js';
import { confirmUser, emailIsTaken, findUser, insertEmailIdentity, insertUser } from './users/users.sql.js';

interface NewUser {
  id: string;
  email: string;
  passwordHash: string;
  /** The app's own `data`. */
  data: Record<string, unknown>;
}

/** Makes accounts. No mail is sent, so an account is confirmed at once and signed in. */
@Injectable()
export class SignUp {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly passwords: PasswordHasher,
  ) {}

  /**
   * Commits the account, its first session and `user.created` together.
   *
   * @throws AppError `signup_disabled`, `anonymous_provider_disabled`, `phone_provider_disabled`,
   *   `validation_failed`, `weak_password`, `user_already_exists`, or `unexpected_failure` (422) when a trigger
   *   or constraint of the app refused the row.
   */
  async signUp(
    project: Project,
    request: SignUpRequest,
    client: Client,
    origin: Origin,
  ): Promise<OpenSession> {
    if (this.config.auth.disableSignup) throw signupDisabled();
    const { email, password, data } = checked(request);
    if (await emailIsTaken(project.database, email, null)) throw userAlreadyExists();
    const user = { id: randomUUID(), email, passwordHash: await this.passwords.hash(password), data };
    try {
      return await project.database.asSystem(async (tx) => {
        await describeOrigin(tx, origin);
        await createUser(tx, user);
        return openFirstSession(tx, user.id, client, origin);
      });
    } catch (error) {
      throw refusalOf(error);
    }
  }
}

function checked({ email, phone, password, data = {} }: SignUpRequest) {
  if (email && phone) {
    throw validationFailed('Only an email address or phone number should be provided on signup.');
  }
  if (phone) throw phoneProviderDisabled('signups');
  if (!email) throw anonymousProviderDisabled();
  if (!password) throw validationFailed('Signup requires a valid password');
  requireAcceptable(password);
  requireFitting(data);
  return { email: parseValue(emailToSignUp, email), password, data };
}

/** Inserts first and confirms then, as GoTrue does: apps have triggers on either. */
async function createUser(tx: Sql, { id, email, passwordHash, data }: NewUser): Promise<void> {
  await insertUser(tx, { id, email, passwordHash, metadata: data });
  const claims = { sub: id, email, email_verified: false, phone_verified: false };
  await insertEmailIdentity(tx, id, { ...data, ...claims });
  await confirmUser(tx, id, { ...claims, email_verified: true });
}

async function openFirstSession(tx: Sql, id: string, client: Client, origin: Origin): Promise<OpenSession> {
  // Read back, since triggers may have changed the row.
  const user = (await findUser(tx, id))!;
  await insertAuditEntry(tx, 'user_signedup', user, client.ip);
  // Before `user.signed_in`, which the database appends when a session opens.
  await appendEvent(tx, {
    name: 'user.created',
    payload: { record: userRecord(user) },
    requestId: origin.requestId,
    depth: origin.caller.depth,
    rootId: rootOf(origin.caller, origin.requestId),
  });
  return openSession(tx, user, client);
}

/** Tells the two refusals that are the caller's to mend from failures of the server. */
function refusalOf(error: unknown): unknown {
  const { code, constraint } = error as { code?: string; constraint?: string };
  if (code === '23505' && constraint === 'users_email_partial_key') return userAlreadyExists();
  // P0001: raise exception. Class 23: a constraint of a table that a trigger on auth.users fills.
  return code === 'P0001' || code?.startsWith('23') ? userRefusedByDatabase(error) : error;
}
