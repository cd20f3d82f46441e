import { describe, expect, it } from '@jest/globals';
import { answerOfBundle, bundleSources, type BundleOptions } from './bundle-support.js';
import { useRuntime } from './runtime-support.js';

const used = useRuntime();

const bundle = (files: Record<string, string>, options?: BundleOptions) =>
  bundleSources(used.dataDir, files, options);

const answerOf = (bundled: { code: Uint8Array }) => answerOfBundle(used.runtime, bundled);

const supabaseFunction = `// Setup type definitions for built-in Supabase Runtime APIs
import 'jsr:@supabase/functions-js@2/edge-runtime.d.ts';
import "@supabase/functions-js/edge-runtime.d.ts";
import { createClient } from 'npm:@supabase/supabase-js@2';

class Failure extends Error {}
class NamedFailure extends Failure { toString() { return this.message; } }
addEventListener('beforeunload', (ev) => console.log(ev.detail?.reason));
function greet(name, { loud }) { return 'Hello ' + (loud ? name.toUpperCase() : name) + '!'; }

Deno.serve(async (req) => {
  try {
    const admin = () => createClient(Deno.env.get('SUPABASE_URL'), Deno.env.get('SUPABASE_ANON_KEY'), {
      global: { headers: { Authorization: req.headers.get('Authorization') } },
    });
    EdgeRuntime.waitUntil(Promise.resolve(admin));
    return new Response(greet('Ada', { loud: false }));
  } catch (error) {
    return new Response(JSON.stringify({ error: error.message }), { status: 500 });
  }
});
`;

describe('the check of types', () => {
  it('passes for what the Supabase CLI makes and its documentation shows, unchanged', async () => {
    const bundled = await bundle(
      {
        'hello/deno.json': '{ "imports": { "@supabase/functions-js": "jsr:@supabase/functions-js@^2" } }',
        'hello/index.ts': supabaseFunction,
      },
      { check: true },
    );
    expect(await answerOf(bundled)).toBe('Hello Ada!');
  });

  it.each([
    [
      'keys that zod requires',
      `import { z } from 'npm:zod@3';
       const input = z.object({ name: z.string() });
       const greet = (person: { name: string }) => 'hello ' + person.name;
       export default () => new Response(greet(input.parse({ name: 'Ada' })));`,
    ],
    [
      'bytes of a helper',
      `const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
       await crypto.subtle.digest('SHA-256', bytes('x'));
       export default () => new Response(bytes('hello Ada'));`,
    ],
    [
      'EdgeRuntime declared by itself',
      `declare global { var EdgeRuntime: { waitUntil(work: Promise<unknown>): void } }
       EdgeRuntime.waitUntil(Promise.resolve());
       export default () => new Response('hello Ada');`,
    ],
  ])('passes for %s', async (_name, code) => {
    expect(await answerOf(await bundle({ 'hello/index.ts': code }, { check: true }))).toBe('hello Ada');
  });

  it("is as strict as the function's own deno.json asks", async () => {
    const files = { 'hello/index.ts': 'export default (request) => new Response(request.url);' };
    await bundle(files, { check: true });
    const strict = { ...files, 'hello/deno.json': '{ "compilerOptions": { "strict": true } }' };
    await expect(bundle(strict, { check: true })).rejects.toMatchObject({
      code: 'BUNDLE_ERROR',
      message: expect.stringMatching(
        /^hello\/index\.ts:1:17: Parameter 'request' implicitly .* \(TS7006\)$/m,
      ),
    });
  });

  it('is left out where that is asked for', async () => {
    const files = { 'hello/index.ts': `const n: number = 'text'; export default () => new Response(n);` };
    expect(await answerOf(await bundle(files))).toBe('text');
  });

  it('tells all errors, and how to deploy without it', async () => {
    const files = { 'hello/index.ts': `const a: number = '';\nconst b: string = 1;\nexport default [a, b];` };
    await expect(bundle(files, { check: true })).rejects.toMatchObject({
      message: expect.stringMatching(
        /^hello\/index\.ts:1:7: [^]*^hello\/index\.ts:2:7: [^]*^To deploy without this check: .*--no-check/m,
      ),
    });
  });
});
