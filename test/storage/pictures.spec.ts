import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import sharp from 'sharp';
import { startStorage, type Person, type StorageServer } from './storage-server.js';

let server: StorageServer;
let ada: Person;
let mine: string;

beforeAll(async () => {
  server = await startStorage();
  ada = await server.person();
  mine = `${ada.id}/me.jpg`;
  const photo = await sharp({
    create: {
      width: 1600,
      height: 1200,
      channels: 3,
      background: 'teal',
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
    .jpeg()
    .toBuffer();
  const options = { contentType: 'image/jpeg', cacheControl: '600' };
  await ada.client.storage.from('avatars').upload(mine, photo, options);
  await server.admin.storage.from('site').upload('photo.jpg', photo, options);
  await server.admin.storage.from('site').upload('broken.jpg', photo.subarray(0, 3000), options);
  await server.admin.storage.from('site').upload('text.jpg', 'hello', options);
  await server.admin.storage.from('site').upload('drawing.jpg', laboriousDrawing(), options);
});
afterAll(() => server.close());

const site = (query: string, headers: Record<string, string> = {}) =>
  server.fetch(`/render/image/public/site/photo.jpg?${query}`, { headers });

/** An SVG that would take minutes to draw, and no time limit could stop. */
function laboriousDrawing(): string {
  const filters = Array.from(
    { length: 60 },
    (_, i) => `<feTurbulence baseFrequency="0.0${i + 1}" numOctaves="10" result="r${i}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="5000" height="5000">
    <filter id="f" x="0" y="0" width="1" height="1">${filters.join('')}</filter>
    <rect width="5000" height="5000" filter="url(#f)"/></svg>`;
}

async function measure(response: Response) {
  const { width, height, format } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
  return { width, height, format };
}

describe('a picture', () => {
  it('is rendered for who may read it, as the SDK asks', async () => {
    const avatars = ada.client.storage.from('avatars');
    const { data } = await avatars.download(mine, { transform: { width: 200, height: 200, quality: 50 } });
    const { width, height } = await sharp(Buffer.from(await data!.arrayBuffer())).metadata();
    expect({ width, height }).toEqual({ width: 200, height: 200 });
    const eve = await server.person();
    const refused = await eve.client.storage.from('avatars').download(mine, { transform: { width: 10 } });
    expect(refused.error).toMatchObject({ statusCode: '404' });
    expect((await server.fetch(`/render/image/authenticated/avatars/${mine}?width=10`)).status).toBe(401);
  });

  it('is rendered at its public URL, in the format the browser takes', async () => {
    const transform = { width: 300, resize: 'contain' as const };
    const { publicUrl } = server.admin.storage.from('site').getPublicUrl('photo.jpg', { transform }).data;
    const plain = await fetch(publicUrl);
    expect(plain.headers.get('content-type')).toBe('image/jpeg');
    expect(plain.headers.get('vary')).toBe('Accept');
    expect(plain.headers.get('cache-control')).toBe('max-age=600');
    expect(await measure(plain)).toEqual({ width: 300, height: 225, format: 'jpeg' });
    const modern = await site('width=300', { accept: 'image/avif,image/webp,*/*' });
    expect(modern.headers.get('content-type')).toBe('image/webp');
    expect(await measure(modern)).toEqual({ width: 300, height: 225, format: 'webp' });
    const origin = await site('width=300&format=origin', { accept: 'image/webp' });
    expect(origin.headers.get('content-type')).toBe('image/jpeg');
  });

  it('is rendered by a signed URL just as was signed', async () => {
    const transform = { width: 64, height: 64, resize: 'fill' as const, format: 'webp' as never };
    const { data } = await ada.client.storage.from('avatars').createSignedUrl(mine, 60, { transform });
    expect(data!.signedUrl).toContain('/render/image/sign/');
    expect(await measure(await fetch(`${data!.signedUrl}&width=500`))).toEqual({
      width: 64,
      height: 64,
      format: 'webp',
    });
  });

  it('is not sent, nor rendered, to who has it already', async () => {
    const etag = (await site('width=50')).headers.get('etag')!;
    expect((await site('width=50', { 'if-none-match': etag })).status).toBe(304);
    expect((await site('width=51', { 'if-none-match': etag })).status).toBe(200);
    expect((await site('width=50', { 'if-none-match': etag, accept: 'image/webp' })).status).toBe(200);
  });

  it('is rendered in many sizes at once, each as it is alone', async () => {
    const widths = Array.from({ length: 40 }, (_, i) => 20 + i);
    const sizes = await Promise.all(widths.map(async (width) => measure(await site(`width=${width}`))));
    expect(sizes).toEqual(
      widths.map((width) => ({ width, height: Math.round((width * 1200) / 1600), format: 'jpeg' })),
    );
  });

  it('tells its size to HEAD', async () => {
    const { headers } = await server.fetch('/render/image/public/site/photo.jpg?width=80', {
      method: 'HEAD',
    });
    const whole = await site('width=80');
    expect(headers.get('content-length')).toBe(String((await whole.arrayBuffer()).byteLength));
  });

  it.each([
    ['width=wide', 'width must be an integer from 0'],
    ['quality=1', 'quality must be an integer from 20 to 100'],
    ['resize=crop', 'resize must be cover, contain or fill'],
  ])('is not rendered with %s', async (query, message) => {
    const response = await site(query);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ statusCode: '400', code: 'InvalidRequest', message });
  });

  it.each(['broken.jpg', 'text.jpg', 'drawing.jpg'])('is refused when %s is none', async (name) => {
    const response = await server.fetch(`/render/image/public/site/${name}?width=10`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      statusCode: '422',
      message: 'The source image is invalid or unsupported for rendering',
    });
  });

  it('waits for its turn when many are asked for at once', async () => {
    const responses = await Promise.all(Array.from({ length: 30 }, (_, i) => site(`width=${100 + i}`)));
    for (const [i, response] of responses.entries()) {
      expect((await measure(response)).width).toBe(100 + i);
    }
  });
});
