import type { UsageServer } from './usage-server.js';

interface Costs {
  cost: number;
  projected: number;
  always_on: { gb: number; cost: number | null };
  saved_percent: number | null;
}

/** What `/usage` tells, of which the tests look at this. */
interface Report {
  period: { from: string; to: string };
  prices: { name: string; currency: string; as_of: string | null; source: string | null };
  functions: (Costs & Record<string, number> & { function: string })[];
  requests: { service: string; requests: number }[];
  charges: { of: string; quantity: number; cost: number; projected: number }[];
  total: { cost: number; projected: number; functions: Costs };
  series?: ({ at: string; function: string; cost: number } & Record<string, number>)[];
}

/** The report, or what is answered instead. */
export async function usageReport(server: UsageServer, query = '') {
  const { status, body } = await server.manage('GET', `/usage${query}`);
  return { status, report: body as unknown as Report, body };
}
