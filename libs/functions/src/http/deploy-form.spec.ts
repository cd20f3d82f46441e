import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { readDeployForm } from './deploy-form.js';

const metadata = { entrypoint_path: 'functions/hello/index.ts' };

async function read(
  parts: { metadata?: unknown; files?: [path: string, text: string][]; slug?: string },
  manifestInService?: () => Promise<unknown>,
) {
  const form = new FormData();
  if (parts.metadata !== undefined) form.append('metadata', JSON.stringify(parts.metadata));
  for (const [path, text] of parts.files ?? [['functions/hello/index.ts', '1']]) {
    form.append('file', new Blob([text]), path);
  }
  const response = new Response(form);
  return readDeployForm(
    Readable.from([Buffer.from(await response.arrayBuffer())]),
    response.headers.get('content-type')!,
    parts.slug ?? 'hello',
    manifestInService,
  );
}

describe('a deployment form', () => {
  it('is read into files, entrypoint and manifest', async () => {
    const request = await read({
      metadata: { ...metadata, verify_jwt: false, galley: { memory_mb: 64 } },
      files: [
        ['functions/hello/index.ts', 'serve()'],
        ['./functions/_shared/cors.ts', 'x'],
      ],
    });
    expect([...request.files.keys()]).toEqual(['functions/hello/index.ts', 'functions/_shared/cors.ts']);
    expect(Buffer.from(request.files.get('functions/hello/index.ts')!).toString()).toBe('serve()');
    expect(request).toMatchObject({ slug: 'hello', entrypoint: metadata.entrypoint_path });
    expect(request.manifest).toMatchObject({ verify_jwt: false, memory_mb: 64 });
  });

  it('keeps the limits and permissions of the function where it says nothing of them', async () => {
    const inService = async () => ({ memory_mb: 64, verify_jwt: true });
    const kept = await read({ metadata: { ...metadata, verify_jwt: false } }, inService);
    expect(kept.manifest).toMatchObject({ memory_mb: 64, verify_jwt: false, check: false });
    const replaced = await read({ metadata: { ...metadata, galley: {} } }, inService);
    expect(replaced.manifest).toMatchObject({ memory_mb: 256, verify_jwt: true, check: true });
  });

  it('has its types checked only where it comes with settings of Galley', async () => {
    expect((await read({ metadata })).manifest.check).toBe(false);
    expect((await read({ metadata: { ...metadata, galley: {} } })).manifest.check).toBe(true);
    expect((await read({ metadata: { ...metadata, galley: { check: false } } })).manifest.check).toBe(false);
  });

  it('may give the function a name beside its slug', async () => {
    expect(await read({ metadata: { ...metadata, name: 'Hello!' } })).toMatchObject({ name: 'Hello!' });
    expect(await read({ metadata: { ...metadata, name: 'hello' } })).not.toHaveProperty('name');
  });

  it.each([
    [{ metadata: { ...metadata, name: 'a\u0000b' } }, /metadata\.name/],
    [{ metadata: { ...metadata, decorators: 'tc39' } }, /Unrecognized key: "decorators"/],
    [{ metadata, slug: 'a/b' }, /A function's name is a letter/],
    [{}, /Expected a part `metadata` that is JSON/],
    [
      {
        metadata,
        files: [
          ['functions/hello/index.ts', '1'],
          ['functions/hello/index.ts', '2'],
        ],
      },
      /was sent twice/,
    ],
  ] as [Parameters<typeof read>[0], RegExp][])('is refused when it is %j', async (parts, message) => {
    await expect(read(parts)).rejects.toMatchObject({ status: 400, message: expect.stringMatching(message) });
  });

  it('is refused when it is no form', async () => {
    const broken = readDeployForm(
      Readable.from([Buffer.from('x')]),
      'multipart/form-data; boundary=y',
      'hello',
    );
    await expect(broken).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
