import sharp, { type FitEnum, type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { notAPicture } from '../errors.js';
import { limits } from '../limits.js';
import { jpegShrink } from './jpeg-shrink.js';
import { withBothSides, type SizedTransform } from './rendered-size.js';
import type { Transform } from './transform.js';

type PictureFormat = 'jpeg' | 'png' | 'webp' | 'avif' | 'gif';

export interface RenderedPicture {
  readonly data: Buffer;
  readonly mimeType: string;
}

// Renderings run beside each other already; threads within one would only be in each other's way.
sharp.concurrency(1);

// What else libvips reads is never looked at. An SVG above all: a few lines of it draw for minutes, in one step that
// no time limit ends, and its size in pixels says nothing of that.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif'].map((format) => `VipsForeignLoad${format}Buffer`),
});

const defaultQuality = 80;

const fits: Record<NonNullable<Transform['resize']>, keyof FitEnum> = {
  cover: 'cover',
  contain: 'inside',
  fill: 'fill',
};

const positions: Record<NonNullable<Transform['gravity']>, string> = {
  no: 'north',
  so: 'south',
  ea: 'east',
  we: 'west',
  noea: 'northeast',
  nowe: 'northwest',
  soea: 'southeast',
  sowe: 'southwest',
  ce: 'centre',
  sm: 'attention',
};

/** A picture that can be rendered several times. */
export interface OpenPicture {
  /**
   * Renders it as `transform` says, which must be one of those that it was opened for. It is turned upright as its
   * EXIF orientation says, never enlarged, and loses its metadata. What its sides leave open is bounded by
   * `limits.renderedPixels`. Without a `format` it becomes WebP where
   * `acceptsWebp`, else stays what it was.
   *
   * @throws AppError `InvalidRequest` (422) when it is broken or takes too long
   */
  render(transform: Transform, acceptsWebp: boolean): Promise<RenderedPicture>;
}

/**
 * Opens a JPEG, PNG, WebP, GIF or AVIF to be rendered in all of `transforms`. Most of the work is to decode a JPEG,
 * even a shrunk one: it is done once for all of them.
 *
 * @throws AppError `InvalidRequest` (422) when it is none of these, a broken one, or has too many pixels
 */
export async function openPicture(source: Buffer, transforms: readonly Transform[]): Promise<OpenPicture> {
  try {
    const metadata = await sharp(source, inputOptions).metadata();
    requireFewPixels(metadata);
    const shared = transforms.length > 1 ? await shrunkTogether(source, metadata, transforms) : undefined;
    return {
      async render(transform, acceptsWebp) {
        const format = outputFormat(metadata, transform, acceptsWebp);
        const input = shared
          ? sharp(shared.pixels, { raw: shared.raw })
          : sharp(source, { ...inputOptions, animated: isAnimated(metadata, format) });
        const picture = resized(input, withBothSides(metadata.autoOrient, transform));
        return encode(picture, format, transform.quality ?? defaultQuality);
      },
    };
  } catch (error) {
    throw notAPicture(error);
  }
}

/** What sharp is told for all formats together is too much for one that is decoded as a whole. */
function requireFewPixels({ format, width, height }: Metadata): void {
  const highest = format === 'heif' ? limits.avifPixels : limits.picturePixels;
  if (width * height > highest) throw new Error(`The picture has more than ${highest} pixels`);
}

/** The pixels that all of `transforms` can be made of; undefined where that is no JPEG or must not be shrunk. */
async function shrunkTogether(
  source: Buffer,
  { format, autoOrient }: Metadata,
  transforms: readonly Transform[],
): Promise<{ pixels: Buffer; raw: SharpOptions['raw'] } | undefined> {
  if (format !== 'jpeg') return undefined;
  const shrink = jpegShrink(autoOrient, transforms);
  if (shrink === 1) return undefined;
  const { data, info } = await sharp(source, inputOptions)
    .resize({
      width: Math.floor(autoOrient.width / shrink),
      height: Math.floor(autoOrient.height / shrink),
      fit: 'fill',
    })
    .timeout({ seconds: limits.renderSeconds })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { pixels: data, raw: { width: info.width, height: info.height, channels: info.channels } };
}

async function encode(picture: Sharp, format: PictureFormat, quality: number): Promise<RenderedPicture> {
  try {
    const data = await encoded(picture, format, quality)
      .timeout({ seconds: limits.renderSeconds })
      .toBuffer();
    return { data, mimeType: `image/${format}` };
  } catch (error) {
    throw notAPicture(error);
  }
}

const inputOptions = {
  autoOrient: true,
  failOn: 'error',
  limitInputPixels: limits.picturePixels,
  sequentialRead: true,
} as const;

// JPEGs are shrunk while they are decoded: sharp does so when a resize follows the input directly.
function resized(picture: Sharp, { width, height, resize, gravity }: SizedTransform): Sharp {
  return picture.resize({
    width,
    height,
    fit: fits[resize ?? 'cover'],
    position: positions[gravity ?? 'ce'],
    withoutEnlargement: true,
  });
}

function encoded(picture: Sharp, format: PictureFormat, quality: number): Sharp {
  switch (format) {
    case 'png':
      return picture.png();
    case 'gif':
      return picture.gif();
    case 'avif':
      // Effort 4, sharp's default, takes three times as long for a few per cent of size.
      return picture.avif({ quality, effort: 2 });
    default:
      return picture.toFormat(format, { quality });
  }
}

function outputFormat(metadata: Metadata, { format }: Transform, acceptsWebp: boolean): PictureFormat {
  if (format === 'avif' || format === 'webp') return format;
  if (format === undefined && acceptsWebp) return 'webp';
  switch (metadata.format) {
    case 'jpeg':
    case 'png':
    case 'webp':
    case 'gif':
      return metadata.format;
    default:
      // HEIF, which says what AVIF is kept in; HEVC, which cameras put there too, is not built in.
      return 'avif';
  }
}

/** A picture keeps moving where its format can and all its frames together stay within the pixel limit. */
function isAnimated({ pages = 1, width, height }: Metadata, format: PictureFormat): boolean {
  const canMove = format === 'gif' || format === 'webp';
  return canMove && pages > 1 && pages * width * height <= limits.picturePixels;
}
