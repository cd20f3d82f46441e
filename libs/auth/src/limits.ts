import { availableParallelism } from 'node:os';

/** Requests that one client address may make: `requests` at once, refilled evenly over `perMs` milliseconds. */
export interface RateLimit {
  readonly requests: number;
  readonly perMs: number;
}

const fiveMinutesMs = 5 * 60_000;

/**
 * The bounds an operator or a test may want other values of; injected by this class.
 * Rates are counted in each process on its own: behind N servers a client has up to N times as many.
 */
export class AuthLimits {
  /** `POST /signup`. */
  readonly signUps: RateLimit = { requests: 600, perMs: fiveMinutesMs };
  /** `POST /token?grant_type=password`. */
  readonly passwordAttempts: RateLimit = { requests: 600, perMs: fiveMinutesMs };
  /** `POST /token?grant_type=refresh_token`; many people may share an office's address. */
  readonly refreshes: RateLimit = { requests: 3000, perMs: fiveMinutesMs };
  /** `PUT /user`, which may hash a password too. */
  readonly userUpdates: RateLimit = { requests: 600, perMs: fiveMinutesMs };
  /**
   * Passwords hashed at a time. Hashing runs on the four threads of libuv's pool, which files and DNS need
   * as well, so one stays free.
   */
  readonly concurrentHashes: number = Math.min(availableParallelism(), 3);
  /** Requests that may wait for a hash; about ten seconds' worth on two cores. */
  readonly waitingHashes: number = 256;

  constructor(overrides: Partial<AuthLimits> = {}) {
    Object.assign(this, overrides);
  }
}

/** The bounds that belong to the protocol or to a stored format. */
export const limits = {
  /** `auth.users.email`. */
  emailChars: 255,
  /** GoTrue's default least length of a password. */
  passwordMinChars: 6,
  /** bcrypt ignores what comes after this. */
  passwordMaxBytes: 72,
  /** A password as it is typed at sign-in; imported accounts may have hashes of longer ones, cut by bcrypt. */
  passwordInputChars: 1024,
  /** `auth.refresh_tokens.token`. */
  refreshTokenChars: 255,
  /** user_metadata as JSON. It travels in every access token, and thereby in a header of every request. */
  userMetadataBytes: 16 * 1024,
  /** Lists and objects in each other in user_metadata: far from where JSON.stringify runs out of stack. */
  userMetadataNesting: 100,
  /** `User-Agent` as kept with a session; the rest is cut. */
  userAgentChars: 1024,
  /** Cost of new bcrypt hashes, GoTrue's own. */
  bcryptCost: 10,
  /** How long a refresh token that was used may come again from clients that refreshed at once. GoTrue's default. */
  refreshReuseSeconds: 10,
  /** Used refresh tokens are kept this long, to tell a replay from an unknown token. As GoTrue's clean-up. */
  usedRefreshTokenHours: 24,
  /** Client addresses whose request rate is remembered for each project. */
  rememberedClients: 50_000,
} as const;
