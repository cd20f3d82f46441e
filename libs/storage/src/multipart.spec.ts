import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formBoundary, formParts } from './multipart.js';

async function* inPieces(body: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < body.length; i += size) yield body.subarray(i, i + size);
}

async function readAll(body: Buffer, boundary: string, pieceSize = 7) {
  const parts: {
    name: string;
    fileName: string | undefined;
    contentType: string | undefined;
    content: Buffer;
  }[] = [];
  for await (const { chunks, ...part } of formParts(inPieces(body, pieceSize), boundary)) {
    const content: Buffer[] = [];
    for await (const chunk of chunks) content.push(chunk);
    parts.push({ ...part, content: Buffer.concat(content) });
  }
  return parts;
}

async function encode(form: FormData) {
  const response = new Response(form);
  const boundary = formBoundary(response.headers.get('content-type')!)!;
  return { body: Buffer.from(await response.arrayBuffer()), boundary };
}

describe('multipart forms', () => {
  it('reads what fetch sends for storage-js uploads', async () => {
    const form = new FormData();
    form.append('cacheControl', '3600');
    form.append('', new Blob(['cat'], { type: 'image/png' }), 'c"at.png');
    const { body, boundary } = await encode(form);
    expect(await readAll(body, boundary)).toEqual([
      { name: 'cacheControl', fileName: undefined, contentType: undefined, content: Buffer.from('3600') },
      { name: '', fileName: 'c"at.png', contentType: 'image/png', content: Buffer.from('cat') },
    ]);
  });

  it('gives back any bytes however they are cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 64 }),
        async (contents, pieceSize) => {
          const boundary = 'xYz';
          const body = Buffer.concat([
            ...contents.flatMap((content, i) => [
              Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="f${i}"\r\n\r\n`),
              Buffer.from(content),
              Buffer.from('\r\n'),
            ]),
            Buffer.from(`--${boundary}--\r\n`),
          ]);
          fc.pre(!contents.some((content) => Buffer.from(content).includes(boundary)));
          const parts = await readAll(body, boundary, pieceSize);
          expect(parts.map((part) => part.content)).toEqual(contents.map((content) => Buffer.from(content)));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('skips a preamble, padding and parts that nobody reads', async () => {
    const body = Buffer.from(
      'preamble\r\n--b  \r\nContent-Disposition: form-data; name=a\r\n\r\none\r\n' +
        '--b\r\ncontent-disposition: form-data; name="b"\r\n\r\ntwo\r\n--b--epilogue',
    );
    const names: string[] = [];
    for await (const part of formParts(inPieces(body, 3), 'b')) names.push(part.name);
    expect(names).toEqual(['a', 'b']);
  });

  it.each([
    ['ends early', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nhal'],
    ['has no delimiter', 'nothing'],
    ['has a part without a name', '--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--'],
    ['has rubbish after a delimiter', '--bb\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--'],
  ])('refuses a body that %s', async (_, body) => {
    await expect(readAll(Buffer.from(body), 'b')).rejects.toMatchObject({ code: 'InvalidRequest' });
  });

  it('refuses endless part headers', async () => {
    const body = Buffer.from(`--b\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`);
    await expect(readAll(body, 'b', 1000)).rejects.toMatchObject({ code: 'EntityTooLarge' });
  });

  it.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['multipart/form-data; boundary="a b"; charset=utf-8', 'a b'],
    ['Multipart/Form-Data;boundary=----WebKitFormBoundaryX', '----WebKitFormBoundaryX'],
    ['image/png', undefined],
    [undefined, undefined],
  ])('finds the boundary in %s', (type, boundary) => expect(formBoundary(type)).toBe(boundary));

  it('wants a boundary', () =>
    expect(() => formBoundary('multipart/form-data')).toThrow(expect.objectContaining({ status: 400 })));
});
