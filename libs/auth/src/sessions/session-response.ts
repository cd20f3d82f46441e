import { Inject, Injectable } from '@nestjs/common';
import { decodeJwt } from 'jose';
import { CONFIG, type Config, type Project } from '#libs/platform';
import { UsageLedger } from '#libs/usage';
import { userJson, type User } from '../users/user.js';
import { accessTokenClaims } from './access-token.js';
import type { Session } from './session.js';

/** A signed-in person's credentials, before they are given to the client. */
export interface OpenSession {
  readonly user: User;
  readonly session: Session;
  readonly refreshToken: string;
}

/** What `POST /signup` and `POST /token` answer. */
export interface SessionResponse {
  access_token: string;
  token_type: 'bearer';
  /** Seconds. */
  expires_in: number;
  /** Seconds since 1970. */
  expires_at: number;
  refresh_token: string;
  user: Record<string, unknown>;
  weak_password?: { message: string; reasons: readonly string[] };
}

/** Signs the access token of a session and puts the answer together. */
@Injectable()
export class SessionResponses {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly ledger: UsageLedger,
  ) {}

  async of(project: Project, open: OpenSession): Promise<SessionResponse> {
    const lifetimeSeconds = this.config.auth.jwtExpirySeconds;
    const claims = accessTokenClaims(open.user, open.session, `${project.apiUrl}/auth/v1`);
    this.ledger.addActiveUser(project.ref, open.user.id, new Date());
    const accessToken = project.tokens.signForPerson(claims, lifetimeSeconds);
    return {
      access_token: accessToken,
      token_type: 'bearer',
      expires_in: lifetimeSeconds,
      expires_at: decodeJwt(accessToken).exp!,
      refresh_token: open.refreshToken,
      user: userJson(open.user),
    };
  }
}
