import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';

describe('verify_jwt', () => {
  let server: FunctionsServer;
  const open = 'Deno.serve((request) => new Response(request.headers.get("authorization") ?? "none"));';
  beforeAll(async () => {
    server = await startFunctionsServer();
    await server.deploy('closed', open);
    await server.deploy('open', open, { verify_jwt: false });
  });
  afterAll(() => server.close());

  async function refusal(headers: Record<string, string>) {
    const response = await fetch(`${server.url}/functions/v1/closed`, { method: 'POST', headers });
    const body = (await response.json()) as { code: string; message: string; msg: string };
    expect(response.status).toBe(401);
    expect(response.headers.get('sb-error-code')).toBe(body.code);
    expect(body.msg).toBe(body.message);
    return body.code;
  }
  const unsigned = (header: object) =>
    [header, { role: 'anon' }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.') + '.AAAA';

  it("refuses calls without a good token in the words of Supabase's gateway", async () => {
    expect(await refusal({})).toBe('UNAUTHORIZED_NO_AUTH_HEADER');
    expect(await refusal({ apikey: server.keys.anonKey })).toBe('UNAUTHORIZED_NO_AUTH_HEADER');
    expect(await refusal({ authorization: 'Basic eA==' })).toBe('UNAUTHORIZED_INVALID_JWT_FORMAT');
    expect(await refusal({ authorization: 'Bearer nonsense' })).toBe('UNAUTHORIZED_INVALID_JWT_FORMAT');
    expect(await refusal({ authorization: 'Bearer sb_publishable_other' })).toBe(
      'UNAUTHORIZED_INVALID_JWT_FORMAT',
    );
    expect(await refusal({ authorization: `Bearer ${unsigned({ alg: 'HS256' })}` })).toBe(
      'UNAUTHORIZED_LEGACY_JWT',
    );
    expect(await refusal({ authorization: `Bearer ${unsigned({ alg: 'ES256' })}` })).toBe(
      'UNAUTHORIZED_ASYMMETRIC_JWT',
    );
    expect(await refusal({ authorization: `Bearer ${unsigned({ alg: 'HS512' })}` })).toBe(
      'UNAUTHORIZED_UNSUPPORTED_TOKEN_ALGORITHM',
    );
    const expired = server.project.tokens.sign({ role: 'anon' }, -10);
    expect(await refusal({ authorization: `Bearer ${expired}` })).toBe('UNAUTHORIZED_LEGACY_JWT');
  });

  it("admits people's tokens, legacy keys and opaque keys", async () => {
    const token = server.project.tokens.sign({ role: 'authenticated', sub: 'u' }, 60);
    const admitted = async (headers: Record<string, string>) =>
      (await fetch(`${server.url}/functions/v1/closed`, { headers })).text();
    expect(await admitted({ authorization: `Bearer ${token}` })).toBe(`Bearer ${token}`);
    expect(await admitted({ authorization: `Bearer ${server.keys.anonKey}` })).toBe(
      `Bearer ${server.keys.anonKey}`,
    );
    expect(await admitted({ apikey: server.keys.publishableKey })).toBe(`Bearer ${server.keys.anonKey}`);
  });

  it('set to false lets any Authorization through, as webhooks of others need', async () => {
    const response = await fetch(`${server.url}/functions/v1/open`, {
      method: 'POST',
      headers: { authorization: 'Bearer somebody-elses-token' },
    });
    expect(await response.text()).toBe('Bearer somebody-elses-token');
    expect(await (await fetch(`${server.url}/functions/v1/open`)).text()).toBe('none');
  });
});
