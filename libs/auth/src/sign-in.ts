import { Injectable } from '@nestjs/common';
import type { z } from 'zod';
import type { Project } from '#libs/platform';
import type { Client } from './client.js';
import {
  emailNotConfirmed,
  invalidCredentials,
  phoneProviderDisabled,
  userBanned,
  validationFailed,
} from './errors.js';
import { PasswordHasher } from './passwords/password-hasher.js';
import type { passwordGrantRequest } from './requests.js';
import { describeOrigin, type Origin } from './origin.sql.js';
import { openSession } from './sessions/open-session.js';
import type { OpenSession } from './sessions/session-response.js';
import { isBanned, type User } from './users/user.js';
import { findUserByEmail } from './users/users.sql.js';

/** The password grant. */
@Injectable()
export class SignIn {
  constructor(private readonly passwords: PasswordHasher) {}

  /**
   * Opens a session. An unknown address, an account without a password and a wrong password give the same answer
   * after the same time; that an account is banned or unconfirmed is told only to who knows its password.
   *
   * @throws AppError `invalid_credentials`, `user_banned`, `email_not_confirmed`, `validation_failed`,
   *   `phone_provider_disabled`.
   */
  async signIn(
    project: Project,
    { email, phone, password }: z.infer<typeof passwordGrantRequest>,
    client: Client,
    origin: Origin,
  ): Promise<OpenSession> {
    if (email && phone) {
      throw validationFailed('Only an email address or phone number should be provided on login.');
    }
    if (phone) throw phoneProviderDisabled('logins');
    if (!email) throw validationFailed('missing email or phone');

    const found = await findUserByEmail(project.database, email.toLowerCase());
    const known = await this.passwords.verify(password, found?.encrypted_password ?? null);
    if (!found || !known) throw invalidCredentials();
    if (isBanned(found)) throw userBanned(400);
    if (found.email_confirmed_at === null) throw emailNotConfirmed();
    const { encrypted_password: _secret, ...user } = found;
    return project.database.asSystem(async (tx) => {
      await describeOrigin(tx, origin);
      return openSession(tx, user satisfies User, client);
    });
  }
}
