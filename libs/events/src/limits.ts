/** Bounds of what is done with events at once. */
export const limits = {
  /** Deliveries of one listing. */
  listedDeliveries: 1000,
  /** Dead deliveries that are opened again at once; the answer says how many more there are. */
  redrivenDeliveries: 1000,
  /** How far those are counted: whoever drives many again asks many times. */
  countedDeliveries: 100_000,
  /** Deliveries that go on at once when a pause ends; the others do when they are asked about. */
  resumedDeliveries: 1000,
  /** Deliveries removed with one statement. */
  sweptDeliveries: 5_000,
} as const;
