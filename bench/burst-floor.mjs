// The floor of the burst: the same thumbnails of the same pictures in a bare loop around sharp.
import { readFileSync } from 'node:fs';
import sharp from 'sharp';

const { paths, pictures, sizesPx, concurrency } = JSON.parse(process.argv[2]);
sharp.concurrency(1);
const sources = paths.map((path) => readFileSync(path));
let next = 0;
const startedAt = performance.now();
const loop = async () => {
  while (next < pictures) {
    const source = sources[next++ % sources.length];
    await Promise.all(
      sizesPx.map((px) =>
        sharp(source).autoOrient().resize(px, px, { fit: 'cover' }).webp({ quality: 80 }).toBuffer(),
      ),
    );
  }
};
await Promise.all(Array.from({ length: concurrency }, loop));
process.send((performance.now() - startedAt) / 1000);
