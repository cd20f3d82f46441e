import { beforeAll, describe, expect, it } from '@jest/globals';
import sharp from 'sharp';
import { openPicture } from './render-picture.js';
import type { Transform } from './transform.js';

const red = { r: 255, g: 0, b: 0 };
const blue = { r: 0, g: 0, b: 255 };

/** 400 × 200, the left half red, the right half blue. */
function twoHalves() {
  const half = { create: { width: 200, height: 200, channels: 3 as const, background: blue } };
  return sharp({ create: { width: 400, height: 200, channels: 3, background: red } }).composite([
    { input: half, left: 200, top: 0 },
  ]);
}

async function sizeOf(data: Buffer) {
  const { width, height, format } = await sharp(data).metadata();
  return { width, height, format };
}

async function pixelAt(data: Buffer, left: number, top: number) {
  const [r, g, b] = await sharp(data)
    .extract({ left, top, width: 1, height: 1 })
    .removeAlpha()
    .raw()
    .toBuffer();
  return { r, g, b };
}

/** Mean difference of the channels of two pictures, of 255. */
async function difference(one: Buffer, other: Buffer) {
  const [a, b] = await Promise.all([one, other].map((data) => sharp(data).removeAlpha().raw().toBuffer()));
  return a!.reduce((sum, value, i) => sum + Math.abs(value - b![i]!), 0) / a!.length;
}

async function renderPicture(source: Buffer, transform: Transform, acceptsWebp: boolean) {
  return (await openPicture(source, [transform])).render(transform, acceptsWebp);
}

describe('rendering a picture', () => {
  let png: Buffer;
  let jpeg: Buffer;
  let tiff: Buffer;
  beforeAll(async () => {
    png = await twoHalves().png().toBuffer();
    jpeg = await twoHalves().jpeg().toBuffer();
    tiff = await twoHalves().tiff().toBuffer();
  });

  it.each([
    [
      { width: 100, height: 100 },
      { width: 100, height: 100 },
    ],
    [
      { width: 100, height: 100, resize: 'contain' as const },
      { width: 100, height: 50 },
    ],
    [
      { width: 100, height: 100, resize: 'fill' as const },
      { width: 100, height: 100 },
    ],
    [{ width: 100 }, { width: 100, height: 50 }],
    [{ height: 100 }, { width: 200, height: 100 }],
    [{ width: 2000 }, { width: 400, height: 200 }],
    [{}, { width: 400, height: 200 }],
  ])('renders %j as %j', async (transform, size) => {
    expect(await sizeOf((await renderPicture(png, transform, false)).data)).toMatchObject(size);
  });

  it.each([
    ['png', {}, false, 'image/png'],
    ['jpeg', {}, false, 'image/jpeg'],
    ['jpeg', {}, true, 'image/webp'],
    ['jpeg', { format: 'origin' as const }, true, 'image/jpeg'],
    ['png', { format: 'webp' as const }, false, 'image/webp'],
    ['png', { format: 'avif' as const }, false, 'image/avif'],
    ['avif', {}, false, 'image/avif'],
  ])('writes a %s with %j (accepts webp: %s) as %s', async (source, transform, acceptsWebp, mimeType) => {
    const picture = await twoHalves()
      .toFormat(source as 'png' | 'jpeg' | 'avif')
      .toBuffer();
    const rendered = await renderPicture(picture, transform, acceptsWebp);
    expect(rendered.mimeType).toBe(mimeType);
    const format = mimeType === 'image/avif' ? 'heif' : mimeType.slice('image/'.length);
    expect((await sizeOf(rendered.data)).format).toBe(format);
  });

  it('keeps the part that gravity names', async () => {
    const { data } = await renderPicture(png, { width: 50, height: 200, gravity: 'ea' }, false);
    expect(await pixelAt(data, 10, 10)).toEqual(blue);
  });

  it('turns a photo upright and forgets where it was taken', async () => {
    const photo = await twoHalves()
      .withExif({ IFD0: { Copyright: 'me' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const { data } = await renderPicture(photo, { width: 100 }, false);
    expect(await sizeOf(data)).toMatchObject({ width: 100, height: 200 });
    const { orientation, exif } = await sharp(data).metadata();
    expect(orientation).toBeUndefined();
    expect(exif).toBeUndefined();
  });

  it('keeps an animation moving where the format can', async () => {
    const frame = (background: typeof red) =>
      sharp({ create: { width: 40, height: 40, channels: 3, background } })
        .png()
        .toBuffer();
    const gif = await sharp([await frame(red), await frame(blue)], { join: { animated: true } })
      .gif()
      .toBuffer();
    const moving = await sharp((await renderPicture(gif, { width: 20 }, false)).data).metadata();
    expect(moving).toMatchObject({ format: 'gif', pages: 2, width: 20 });
    const still = await renderPicture(gif, { width: 20, format: 'avif' }, false);
    expect(await pixelAt(still.data, 5, 5)).toMatchObject({ r: expect.any(Number) });
  });

  it.each([
    ['no picture', () => Buffer.from('hello')],
    ['an SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="4"/>')],
    ['a TIFF', () => tiff],
    ['nothing', () => Buffer.alloc(0)],
    ['a JPEG cut in half', () => jpeg.subarray(0, jpeg.length / 2)],
    [
      'a PNG with a broken middle',
      () => Buffer.concat([png.subarray(0, 60), Buffer.alloc(40), png.subarray(100)]),
    ],
  ])('refuses %s', async (_, source) => {
    await expect(renderPicture(source(), { width: 10 }, false)).rejects.toMatchObject({ status: 422 });
  });

  describe('in several ways together', () => {
    const ways: Transform[] = [
      { width: 64, height: 64 },
      { width: 101 },
      { height: 77 },
      { width: 90, height: 90, resize: 'contain' },
      { width: 40, height: 90, resize: 'fill' },
      { width: 30, height: 60, gravity: 'ea' },
    ];

    it.each([
      ['upright', 1],
      ['turned', 6],
      ['mirrored', 2],
    ])('makes what each way makes alone: %s', async (_, orientation) => {
      const photo = await twoHalves()
        .resize(1603, 1207, { fit: 'fill' })
        .withMetadata({ orientation })
        .jpeg()
        .toBuffer();
      const together = await openPicture(photo, ways);
      for (const way of ways) {
        const shared = await together.render(way, true);
        const alone = await renderPicture(photo, way, true);
        expect(shared.mimeType).toBe(alone.mimeType);
        expect(await sizeOf(shared.data)).toEqual(await sizeOf(alone.data));
        expect(await difference(shared.data, alone.data)).toBeLessThan(3);
      }
    });

    it('refuses a JPEG cut in half', async () => {
      const photo = await twoHalves().resize(1600, 1200).jpeg().toBuffer();
      const half = photo.subarray(0, photo.length / 2);
      await expect(openPicture(half, ways)).rejects.toMatchObject({ status: 422 });
    });
  });

  it('refuses a picture of too many pixels before it decodes it', async () => {
    const bomb = await sharp({ create: { width: 8000, height: 7000, channels: 3, background: red } })
      .png({ compressionLevel: 9 })
      .toBuffer();
    await expect(renderPicture(bomb, { width: 10 }, false)).rejects.toMatchObject({ status: 422 });
    const largeAvif = await sharp({ create: { width: 4001, height: 4000, channels: 3, background: red } })
      .avif({ effort: 0 })
      .toBuffer();
    await expect(renderPicture(largeAvif, { width: 10 }, false)).rejects.toMatchObject({ status: 422 });
  });

  it('leaves a large picture smaller where no sides are asked for', async () => {
    const large = await sharp({ create: { width: 5000, height: 4000, channels: 3, background: red } })
      .jpeg()
      .toBuffer();
    const { data } = await renderPicture(large, { quality: 50 }, false);
    expect(await sizeOf(data)).toEqual({ width: 3953, height: 3162, format: 'jpeg' });
  });
});
