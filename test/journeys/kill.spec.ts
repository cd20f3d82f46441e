import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { killedInBothSizes } from '../support/both-sizes.js';
import { eventually } from '../support/eventually.js';
import type { Installation, Victim } from '../support/installation.js';
import {
  avatarUrls,
  loadThumbnail,
  signUp,
  thumbnailSizesPx,
  uploadAvatar,
  type Person,
} from '../support/story.js';

/** When the blow falls. */
const steps = [
  'the upload was answered',
  'the function began',
  'a first thumbnail was stored',
  'the profile was changed',
] as const;
type Step = (typeof steps)[number];

const picture = 'dandelion.jpg';
const recoveryMs = 60_000;

function killedStory(size: string, victims: readonly Victim[], install: () => Promise<Installation>): void {
  describe(`whatever is killed, ${size}`, () => {
    let galley: Installation;
    let ann: Person;

    const deliveryOf = async (requestId: string) => {
      const [delivery] = await galley.query<{ id: string; state: string }>(
        'platform',
        "select id, state from deliveries where request_id = $1 and event_name = 'object.created'",
        [requestId],
      );
      return delivery;
    };
    const reached: Record<Step, (requestId: string) => Promise<boolean>> = {
      'the upload was answered': async () => true,
      'the function began': async (requestId) => {
        const delivery = await deliveryOf(requestId);
        return delivery !== undefined && delivery.state !== 'queued';
      },
      'a first thumbnail was stored': async (requestId) => {
        const rows = await galley.query(
          'project',
          `select 1 from storage.objects thumbnail join storage.objects picture
             on thumbnail.name like picture.owner_id || '/' || picture.version || '/%'
           where thumbnail.bucket_id = 'thumbnails' and picture.bucket_id = 'avatars' and picture.name = $1`,
          [`${ann.id}/${picture}`],
        );
        return rows.length > 0 || (await deliveryOf(requestId))?.state === 'succeeded';
      },
      // Before the delivery's end is committed, mostly: a few milliseconds lie between them.
      'the profile was changed': async () => {
        const rows = await galley.query(
          'project',
          'select 1 from profiles where id = $1 and avatar_path is not null',
          [ann.id],
        );
        return rows.length > 0;
      },
    };

    beforeAll(async () => {
      galley = await install();
    }, 120_000);
    afterAll(() => galley?.stop(), 60_000);

    for (const victim of victims) {
      it.each(steps)(
        `the story ends well and once when ${victim} is killed after %s`,
        async (step) => {
          ann = await eventually(() => signUp(galley.url, galley.publishableKey).catch(() => undefined), {
            within: recoveryMs,
            what: 'a sign-up after the last blow',
          });
          const requestId = randomUUID();
          const path = await uploadAvatar(ann, picture, requestId);
          await eventually(() => reached[step](requestId), { within: recoveryMs, what: step });
          await galley.kill(victim);
          await galley.revive();

          const urls = await avatarUrls(ann, path, recoveryMs).catch(async (error: Error) => {
            const [last] = await galley.query(
              'platform',
              'select state, attempts, last_error from deliveries where request_id = $1',
              [requestId],
            );
            throw new Error(`${error.message}: ${JSON.stringify(last)}`);
          });
          for (const sizePx of thumbnailSizesPx) {
            // The blow may still be felt: PostgreSQL is away for a moment.
            const thumbnail = await eventually(() => loadThumbnail(urls[sizePx]!).catch(() => undefined), {
              within: recoveryMs,
              what: `the thumbnail of ${sizePx} pixels`,
            });
            expect(thumbnail).toMatchObject({ width: sizePx, height: sizePx });
            expect(thumbnail.rowBrightness(0)).toBeGreaterThan(thumbnail.rowBrightness(2) + 80);
          }
          await eventually(async () => (await deliveryOf(requestId))?.state === 'succeeded', {
            within: recoveryMs,
            what: 'the delivery having succeeded',
          });
          const invocations = await galley.query<{ status: string }>(
            'platform',
            "select status from invocations where request_id = $1 and status = 'succeeded'",
            [requestId],
          );
          expect(invocations).toHaveLength(1);
        },
        recoveryMs * 3,
      );
    }

    const inTheWay = victims.filter((victim) => victim === 'server' || victim === 'postgres');
    it.each(inTheWay)(
      'an upload that %s did not live to see stored can simply be sent again',
      async (victim) => {
        ann = await eventually(() => signUp(galley.url, galley.publishableKey).catch(() => undefined), {
          within: recoveryMs,
          what: 'a sign-up after the last blow',
        });
        const cut = uploadAvatar(ann, picture, randomUUID()).then(
          () => 'answered',
          () => 'cut',
        );
        await galley.kill(victim);
        await cut;
        await galley.revive();
        const path = await eventually(() => uploadAvatar(ann, picture, randomUUID()).catch(() => undefined), {
          within: recoveryMs,
          what: 'the upload sent again',
        });
        await avatarUrls(ann, path, recoveryMs);
        const { data } = await ann.client.storage.from('avatars').list(ann.id);
        expect(data).toHaveLength(1);
      },
      120_000,
    );
  });
}

killedInBothSizes(killedStory, {
  embedded: ['server', 'function', 'postgres'],
  outgrown: ['server', 'worker', 'function', 'postgres'],
});
