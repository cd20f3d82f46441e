import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/server.js';
import { outgrownIsReachable, startEmbedded, startOutgrown, type RunningGalley } from '../support/sizes.js';
import { spyManifest, spySource } from '../support/spy-function.js';
import {
  avatarUrls,
  loadThumbnail,
  newClient,
  signUp,
  thumbnailSizesPx,
  uploadAvatar,
  type Person,
  type Picture,
} from '../support/story.js';

/** The story that everything serves, on one size. */
function story(size: string, start: () => Promise<RunningGalley>): void {
  describe(`a picture uploaded becomes thumbnails, ${size}`, () => {
    let galley: RunningGalley;
    let ann: Person;
    let bob: Person;

    const manage = async <T>(path: string): Promise<T> => {
      const response = await fetch(`${galley.urls[0]}/v1/projects/local${path}`, {
        headers: { authorization: `Bearer ${galley.secretKey}` },
      });
      return (await response.json()) as T;
    };
    const change = async (person: Person, picture: Picture, requestId: string = randomUUID()) => {
      const path = await uploadAvatar(person, picture, requestId);
      return { path, requestId, urls: await avatarUrls(person, path) };
    };

    beforeAll(async () => {
      galley = await start();
      ann = await signUp(galley.urls[0]!, galley.publishableKey);
      bob = await signUp(galley.urls.at(-1)!, galley.publishableKey);
    }, 120_000);
    afterAll(() => galley?.stop());

    it('makes three sizes of a twelve-megapixel photograph, upright although the camera was turned', async () => {
      const { urls } = await change(ann, 'dandelion.jpg');
      expect(Object.keys(urls).map(Number)).toEqual(thumbnailSizesPx);
      for (const sizePx of thumbnailSizesPx) {
        const thumbnail = await loadThumbnail(urls[sizePx]!);
        expect(thumbnail).toMatchObject({ width: sizePx, height: sizePx, format: 'webp' });
        expect(thumbnail.orientation ?? 1).toBe(1);
        // Bright sky above, dark grass below; turned by a quarter the two rows would be alike.
        expect(thumbnail.rowBrightness(0)).toBeGreaterThan(thumbnail.rowBrightness(2) + 80);
      }
    });

    it('keeps the transparency of a PNG', async () => {
      const { urls } = await change(ann, 'fig.png');
      expect(await loadThumbnail(urls[256]!)).toMatchObject({ width: 256, height: 256, hasAlpha: true });
    });

    it('takes a WebP', async () => {
      const { urls } = await change(ann, 'dogs.webp');
      expect(await loadThumbnail(urls[512]!)).toMatchObject({ width: 512, height: 512, format: 'webp' });
    });

    it('records and meters each invocation once, under the id of the request that caused it', async () => {
      const { requestId } = await change(bob, 'fig.png');
      const invocations = await eventually(async () => {
        const found = await manage<Record<string, unknown>[]>(`/invocations?request_id=${requestId}`);
        return found.length > 0 && found;
      });
      expect(invocations).toHaveLength(1);
      expect(invocations[0]).toMatchObject({
        function: 'thumbnails',
        status: 'succeeded',
        trigger: 'event',
        attempt: 1,
        http_status: 200,
      });
      for (const figure of ['wall_ms', 'cpu_ms', 'peak_memory_bytes', 'gb_ms']) {
        expect(invocations[0]![figure]).toBeGreaterThan(0);
      }
      const [delivery] = await manage<Record<string, unknown>[]>(`/deliveries?request_id=${requestId}`);
      expect(delivery).toMatchObject({ state: 'succeeded', event: 'object.created' });
      const logged = galley.processes
        .flatMap((one) => one.output().split('\n'))
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as { msg: string; requestId?: string })
        .filter((line) => line.requestId === requestId);
      expect(logged.map((line) => line.msg)).toEqual(
        expect.arrayContaining(['Answered', 'Delivery begins', 'Delivery succeeded']),
      );
    });

    it('lets nobody but the owner read or change a picture', async () => {
      const { path } = await change(ann, 'fig.png');
      const stranger = bob.client.storage.from('avatars');
      expect((await stranger.download(path)).error).not.toBeNull();
      expect((await stranger.list(ann.id)).data).toEqual([]);
      expect(
        (await stranger.upload(`${ann.id}/other.png`, new Blob(['x'], { type: 'image/png' }))).error,
      ).not.toBeNull();
      await stranger.remove([path]);
      expect((await ann.client.storage.from('avatars').download(path)).error).toBeNull();
    });

    it('lets nobody but the function write thumbnails, and nobody but the owner a profile', async () => {
      const forged = await ann.client.storage
        .from('thumbnails')
        .upload(`${ann.id}/x.webp`, new Blob(['x'], { type: 'image/webp' }));
      expect(forged.error).not.toBeNull();
      const { data } = await bob.client
        .from('profiles')
        .update({ username: 'mine' })
        .eq('id', ann.id)
        .select();
      expect(data).toEqual([]);
      const visitor = newClient(galley.urls[0]!, galley.publishableKey);
      expect((await visitor.from('profiles').select('id').eq('id', ann.id)).data).toHaveLength(1);
      expect((await visitor.from('profiles').insert({ id: randomUUID() })).error).not.toBeNull();
    });

    it('holds a function to what it declared', async () => {
      const { path } = await change(ann, 'fig.png');
      const send = (to: string, body: FormData | string) =>
        fetch(`${galley.urls[0]}/v1/projects/local${to}`, {
          method: 'POST',
          body,
          headers: {
            authorization: `Bearer ${galley.secretKey}`,
            ...(typeof body === 'string' && { 'content-type': 'application/json' }),
          },
        });
      const secrets = [
        { name: 'MINE', value: 'mine' },
        { name: 'THEIRS', value: 'theirs' },
      ];
      expect((await send('/secrets', JSON.stringify(secrets))).ok).toBe(true);
      const diaries = {
        name: '20261102000000_diaries',
        query: 'create table public.diaries as select 1 as page',
      };
      expect((await send('/database/migrations', JSON.stringify(diaries))).ok).toBe(true);
      const form = new FormData();
      form.append(
        'metadata',
        JSON.stringify({ name: 'spy', entrypoint_path: 'index.js', galley: spyManifest }),
      );
      form.append('file', new Blob([spySource]), 'index.js');
      expect(await (await send('/functions/deploy?slug=spy', form)).json()).toMatchObject({ slug: 'spy' });

      const { data, error } = await newClient(galley.urls.at(-1)!, galley.publishableKey).functions.invoke(
        'spy',
        {
          body: { picture: path, userId: ann.id, otherHost: `http://127.0.0.1:${await freePort()}` },
        },
      );
      expect(error).toBeNull();
      const { allowed, forbidden } = data as Record<'allowed' | 'forbidden', Record<string, string>>;
      expect(Object.values(allowed)).toEqual(['got it', 'got it']);
      expect(Object.keys(forbidden)).toHaveLength(12);
      expect(Object.entries(forbidden).filter(([, outcome]) => outcome === 'got it')).toEqual([]);
    });

    it('leaves no process of a function when nothing happens', async () => {
      await eventually(
        async () => {
          const text = await metrics(
            galley.processes.map((one) => one.url),
            galley.secretKey,
          );
          return text.every((metric) => /galley_function_instances\{state="idle"\} 0\b/.test(metric));
        },
        { within: 40_000, what: 'all instances being gone' },
      );
    });
  });
}

async function metrics(urls: readonly string[], secretKey: string): Promise<string[]> {
  const headers = { authorization: `Bearer ${secretKey}` };
  return Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`, { headers })).text()));
}

story('in one process on embedded defaults', () => startEmbedded());

if (outgrownIsReachable) {
  story('on two servers and two workers with PostgreSQL, Redis and MinIO', startOutgrown);
} else {
  describe.skip('a picture uploaded becomes thumbnails, on two servers and two workers', () => {
    it('is tested where GALLEY_TEST_REDIS_URL and GALLEY_TEST_S3_ENDPOINT name a Redis and a MinIO', () => {});
  });
}
