import { chainRefusal } from '#libs/events';
import { AppError, type Sql } from '#libs/platform';
import { limits } from '../limits.js';
import { isQueueFull, keptCalls, type Kept } from './calls.sql.js';

/** A call that is to be kept. */
interface Arriving {
  readonly projectRef: string;
  readonly slug: string;
  /** Functions before it, and the request that they began with. */
  readonly depth: number;
  readonly rootId: string;
  readonly bodyBytes: number;
  /** Whoever makes it may be anybody. */
  readonly isAnonymous: boolean;
}

/**
 * Whether there is room for one more call. Those that are accepted at the same moment do not see each other.
 * @throws AppError `RATE_LIMIT_EXCEEDED`, `KEPT_CALLS_EXCEEDED` (429); `LOOP_DETECTED` (508) when what functions began
 *   has led to as many deliveries as it may
 */
export async function admitCall(sql: Sql, call: Arriving): Promise<void> {
  const loop = await chainRefusal(sql, call.projectRef, call);
  if (loop !== null) throw new AppError({ code: 'LOOP_DETECTED', status: 508, message: loop });
  if (await isQueueFull(sql, call.projectRef, call.slug)) throw tooManyWait();
  const { all, anonymous } = await keptCalls(sql, call.projectRef);
  const { keptCalls: most, keptCallBytes: mostBytes, anonymousShare } = limits;
  if (!hasRoom(all, call, most, mostBytes)) throw tooManyKept('of the project', most, mostBytes);
  if (!call.isAnonymous || hasRoom(anonymous, call, most * anonymousShare, mostBytes * anonymousShare))
    return;
  throw tooManyKept('of anonymous callers', most * anonymousShare, mostBytes * anonymousShare);
}

function hasRoom({ calls, bytes }: Kept, { bodyBytes }: Arriving, most: number, mostBytes: number): boolean {
  return calls < most && bytes + bodyBytes <= mostBytes;
}

function tooManyWait(): AppError {
  return new AppError({
    code: 'RATE_LIMIT_EXCEEDED',
    status: 429,
    message: `${limits.queuedCalls} calls of the function wait already`,
    headers: { 'Retry-After': '10' },
  });
}

function tooManyKept(whose: string, most: number, mostBytes: number): AppError {
  return new AppError({
    code: 'KEPT_CALLS_EXCEEDED',
    status: 429,
    message: `Calls ${whose} that are answered later may be ${most} and ${mostBytes} bytes, with their answers`,
    hint: `They are forgotten ${limits.callKeptMs / 3_600_000} hours after their end. Without "Prefer: respond-async" the function answers at once.`,
    headers: { 'Retry-After': '60' },
  });
}
