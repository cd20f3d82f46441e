import type { Caller, Sql } from '#libs/platform';

/** The request a change is made for; row changes that an app's triggers cause are told with it. */
export interface Origin {
  readonly requestId: string;
  readonly caller: Caller;
}

export async function describeOrigin(tx: Sql, origin: Origin): Promise<void> {
  await tx.query(`select set_config('galley.request_id', $1, true), set_config('galley.depth', $2, true)`, [
    origin.requestId,
    String(origin.caller.depth),
  ]);
}
