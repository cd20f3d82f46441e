import { rootOf, type Caller, type Sql } from '#libs/platform';

/** The request a change is made for; the events that triggers append are told with it. */
export interface Origin {
  readonly requestId: string;
  readonly caller: Caller;
}

export async function describeOrigin(tx: Sql, origin: Origin): Promise<void> {
  await tx.query(
    `select set_config('galley.request_id', $1, true), set_config('galley.depth', $2, true),
            set_config('galley.root', $3, true)`,
    [origin.requestId, String(origin.caller.depth), rootOf(origin.caller, origin.requestId)],
  );
}
