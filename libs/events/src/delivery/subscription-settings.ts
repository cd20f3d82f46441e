/** How the deliveries of a subscription are made. What is absent is as the function has it, or the platform. */
export interface SubscriptionSettings {
  /** Tries before a delivery is a dead letter. */
  readonly attempts?: number;
  readonly retry?: RetrySchedule;
  /**
   * Deliveries with the same key are made one after another, in the order in which their events were appended: a column
   * of the row, or `object` for the path of the object. One that is retried is waited for. One that is given up is not:
   * those behind it go on, and driven again it comes after those that have run meanwhile.
   */
  readonly ordering_key?: string;
  readonly batch?: BatchSettings;
}

/** Waits between tries: these, the last one again and again; or from `min_ms` by `factor` up to `max_ms`. */
export type RetrySchedule =
  | { readonly delays_ms: readonly number[] }
  | { readonly min_ms: number; readonly max_ms: number; readonly factor: number };

/** A function is given up to `size` events at once, and waits for that many no longer than `window_ms`. */
export interface BatchSettings {
  readonly size: number;
  readonly window_ms: number;
}
