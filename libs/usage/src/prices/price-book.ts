import { z } from 'zod';

/**
 * What may have a price, in the unit of its name: bytes stored are their average over a month, users those who were
 * active in it, and a GB of memory is 2³⁰ bytes.
 */
export const pricedQuantities = [
  'invocations',
  'gb_seconds',
  'cpu_seconds',
  'requests',
  'rows_read',
  'rows_written',
  'events',
  'bytes_in',
  'bytes_out',
  'function_egress_bytes',
  'bytes_stored',
  'monthly_active_users',
] as const;

export type PricedQuantity = (typeof pricedQuantities)[number];
export type Quantities = Readonly<Partial<Record<PricedQuantity, number>>>;

const amount = z.number().min(0).max(1e15);
const text = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\0]*$/, 'expected text without a zero byte');

const rate = z.strictObject({
  of: z.enum(pricedQuantities),
  /** The price is that of so many. */
  per: z.number().positive().max(1e15).default(1),
  price: amount,
  /** What each month has free. */
  included: amount.default(0),
});

const alwaysOn = z.strictObject({
  name: text,
  memory_gb: z.number().positive().max(1e6),
  price_per_hour: amount,
});

export const priceBook = z.strictObject({
  name: text,
  currency: z.string().regex(/^[A-Z]{3}$/, 'expected a currency of three letters, like EUR'),
  /** When the prices were read, and where. */
  as_of: text.nullable().default(null),
  source: text.nullable().default(null),
  rates: z
    .array(rate)
    .max(pricedQuantities.length)
    .refine((rates) => new Set(rates.map(({ of }) => of)).size === rates.length, {
      error: 'expected each quantity once',
    }),
  /** To whole multiples of how many milliseconds each invocation's time is rounded up: 0 not at all, or 1. */
  duration_step_ms: z.union([z.literal(0), z.literal(1)]).default(0),
  /** The server that functions are compared with; null: their memory at its price, without an end. */
  always_on: alwaysOn.nullable().default(null),
});

/** Somebody's prices. */
export type PriceBook = z.output<typeof priceBook>;
