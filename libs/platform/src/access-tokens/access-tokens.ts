import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '../errors/app-error.js';
import { newId } from '../ids.js';
import { limits } from '../limits.js';
import type { PlatformDatabase } from '../platform-database/platform-database.js';

/** A personal access token as it may be shown. */
export interface AccessToken {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  /** To the minute; null: never used. */
  readonly lastUsedAt: Date | null;
  /** Null: it does not expire. */
  readonly expiresAt: Date | null;
}

const randomPartBytes = 20;
/** The form that Supabase's CLI insists on. */
const tokenPattern = /^sbp_[0-9a-f]{40}$/;

const shownColumns = `id, name, created_at as "createdAt", last_used_at as "lastUsedAt", expires_at as "expiresAt"`;

/**
 * Personal access tokens, `sbp_…`: who holds one manages all projects of this installation. Only their SHA-256 is
 * kept. They are 160 random bits, so a slow hash would add nothing, and finding one by its hash tells by its duration
 * at most something about a hash.
 */
export class AccessTokens {
  constructor(private readonly database: PlatformDatabase) {}

  /**
   * Makes a token, which is shown this once.
   * @throws AppError `too_many_access_tokens` (400)
   */
  async create(name: string, expiresAt: Date | null): Promise<AccessToken & { token: string }> {
    const token = `sbp_${randomBytes(randomPartBytes).toString('hex')}`;
    const { rows } = await this.database.query<AccessToken>(
      `insert into access_tokens (id, name, hash, expires_at) select $1::uuid, $2::text, $3::bytea, $4::timestamptz
       where (select count(*) from access_tokens) < $5 returning ${shownColumns}`,
      [newId(), name, hashOf(token), expiresAt, limits.accessTokens],
    );
    if (rows[0]) return { ...rows[0], token };
    throw new AppError({
      code: 'too_many_access_tokens',
      status: 400,
      message: `There are ${limits.accessTokens} access tokens already; revoke one first`,
    });
  }

  /** The newest first. */
  async list(): Promise<AccessToken[]> {
    const { rows } = await this.database.query<AccessToken>(
      `select ${shownColumns} from access_tokens order by created_at desc, id desc`,
    );
    return rows;
  }

  /** @returns false when there is none of that id */
  async revoke(id: string): Promise<boolean> {
    const { rowCount } = await this.database.query('delete from access_tokens where id = $1', [id]);
    return rowCount > 0;
  }

  /**
   * Asked anew for each request, so that a revoked token is dead at once.
   * @throws AppError `invalid_access_token` (401) for one that is unknown, revoked or expired
   */
  async check(token: string): Promise<void> {
    const found = tokenPattern.test(token) ? await this.#find(token) : undefined;
    if (!found) throw invalidToken('Invalid access token');
    if (found.isExpired) throw invalidToken('The access token has expired');
    if (found.isNoted) return;
    await this.database.query('update access_tokens set last_used_at = now() where id = $1', [found.id]);
  }

  async #find(token: string): Promise<{ id: string; isExpired: boolean; isNoted: boolean } | undefined> {
    const { rows } = await this.database.query<{ id: string; isExpired: boolean; isNoted: boolean }>(
      `select id, coalesce(expires_at <= now(), false) as "isExpired",
         coalesce(last_used_at > now() - interval '1 minute', false) as "isNoted"
       from access_tokens where hash = $1`,
      [hashOf(token)],
    );
    return rows[0];
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function invalidToken(message: string): AppError {
  return new AppError({ code: 'invalid_access_token', status: 401, message });
}
