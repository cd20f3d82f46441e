/** What a run costs at somebody's published prices. */
export interface PriceList {
  readonly name: string;
  /** When the prices were read. */
  readonly asOf: string;
  readonly usdPerGbSecond: number;
  readonly usdPerInvocation: number;
}

/** AWS Lambda, x86, first tier. @see https://aws.amazon.com/lambda/pricing/ */
export const lambdaPrices: PriceList = {
  name: 'AWS Lambda',
  asOf: '2026-09',
  usdPerGbSecond: 0.0000166667,
  usdPerInvocation: 0.0000002,
};

export function costUsd(usage: { invocations: number; gbMs: number }, prices: PriceList): number {
  return usage.invocations * prices.usdPerInvocation + (usage.gbMs / 1000) * prices.usdPerGbSecond;
}
