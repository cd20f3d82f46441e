import { describe, expect, it } from '@jest/globals';
import { AuthLimits } from '../limits.js';
import { PasswordHasher } from './password-hasher.js';

describe('the password hasher', () => {
  it('tells the right password from others', async () => {
    const hasher = new PasswordHasher(new AuthLimits());
    const hash = await hasher.hash('correct horse');
    expect(hash).toMatch(/^\$2b\$10\$/);
    expect(await hasher.verify('correct horse', hash)).toBe(true);
    expect(await hasher.verify('wrong horse', hash)).toBe(false);
  });

  it.each([null, '', 'plain text', '$2a$10$short', '$argon2id$v=19$m=65536$x$y'])(
    'says no to %p in place of a hash',
    async (stored) => {
      const hasher = new PasswordHasher(new AuthLimits());
      expect(await hasher.verify('correct horse', stored)).toBe(false);
    },
  );

  it('refuses more work than may wait, and takes it again later', async () => {
    const hasher = new PasswordHasher(new AuthLimits({ concurrentHashes: 1, waitingHashes: 2 }));
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => hasher.hash('correct horse')));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    expect(outcomes[3]).toMatchObject({ reason: { status: 429, code: 'over_request_rate_limit' } });
    await expect(hasher.hash('correct horse')).resolves.toMatch(/^\$2b\$/);
  });
});
