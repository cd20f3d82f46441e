/** The time, as a port: tests and schedules may run on another clock than the wall's. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
