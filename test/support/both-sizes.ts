import { describe, it } from '@jest/globals';
import { installEmbedded, installOutgrown, type Installation, type Victim } from './installation.js';
import { outgrownIsReachable } from './sizes.js';

/** Describes what an installation of one size does when its parts are killed. */
type DescribeKilled = (
  size: string,
  victims: readonly Victim[],
  install: () => Promise<Installation>,
) => void;

/** Of both sizes; of the outgrown one where there is what it needs. */
export function killedInBothSizes(
  describeKilled: DescribeKilled,
  victims: { embedded: readonly Victim[]; outgrown: readonly Victim[] },
): void {
  describeKilled('in one process on embedded defaults', victims.embedded, installEmbedded);
  const outgrown = 'on a server and a worker with PostgreSQL, Redis and MinIO';
  if (outgrownIsReachable) return describeKilled(outgrown, victims.outgrown, installOutgrown);
  describe.skip(`whatever is killed, ${outgrown}`, () => {
    it('is tested where GALLEY_TEST_REDIS_URL and GALLEY_TEST_S3_ENDPOINT name a Redis and a MinIO', () => {});
  });
}
