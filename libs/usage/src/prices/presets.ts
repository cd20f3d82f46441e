import { priceBook, type PriceBook } from './price-book.js';

/** What holds where a project has no prices of its own: the machine is its owner's. */
export const freeBook: PriceBook = priceBook.parse({ name: 'This machine', currency: 'USD', rates: [] });

/** Published prices, by which an operator may compare or begin. */
export const presets: Readonly<Record<string, PriceBook>> = {
  'aws-lambda': priceBook.parse({
    name: 'AWS Lambda',
    currency: 'USD',
    as_of: '2026-09-20',
    source:
      'https://aws.amazon.com/lambda/pricing/: x86, on demand, first tier, without the free tier and the time of starts',
    rates: [
      { of: 'invocations', per: 1_000_000, price: 0.2 },
      { of: 'gb_seconds', price: 0.0000166667 },
    ],
    duration_step_ms: 1,
  }),
  supabase: priceBook.parse({
    name: 'Supabase Pro',
    currency: 'USD',
    as_of: '2026-09-20',
    source:
      'https://supabase.com/docs/guides/platform/billing-on-supabase: usage above what the plan includes',
    rates: [
      { of: 'invocations', per: 1_000_000, price: 2, included: 2_000_000 },
      { of: 'bytes_out', per: 1e9, price: 0.09, included: 250e9 },
      { of: 'bytes_stored', per: 1e9, price: 0.0213, included: 100e9 },
      { of: 'monthly_active_users', price: 0.00325, included: 100_000 },
    ],
  }),
};
