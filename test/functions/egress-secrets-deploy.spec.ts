import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFunctionsServer, type FunctionsServer } from './functions-server.js';
import { arrangements } from './hostile-support.js';
import { useSecretHosts } from './secret-hosts.js';

const isJail = arrangements.includes('jail');

describe('permissions.egress_secrets', () => {
  const hosts = useSecretHosts((request, response) => response.end(request.headers.authorization));
  const scratch = mkdtempSync(join(tmpdir(), 'galley-authorities-'));
  let server: FunctionsServer;
  beforeAll(async () => {
    const file = join(scratch, 'company.pem');
    writeFileSync(file, hosts.authority);
    server = await startFunctionsServer([], {
      GALLEY_PRIVATE_HOSTS: 'localhost,127.0.0.1',
      GALLEY_EXTRA_CA_FILE: file,
    });
    await setSecret('sk_1');
  });
  afterAll(async () => {
    await server.close();
    rmSync(scratch, { recursive: true });
  });

  const setSecret = (value: string) => server.manage('POST', '/secrets', [{ name: 'STRIPE_KEY', value }]);
  const pays = () => `const key = Deno.env.get('STRIPE_KEY');
    Deno.serve(async () => {
      const answer = await fetch('https://localhost:${hosts.tls}/', { headers: { authorization: 'Bearer ' + key } });
      return Response.json([key, await answer.text()]);
    });`;
  const declared = () => ({ permissions: { egress_secrets: { STRIPE_KEY: [`localhost:${hosts.tls}`] } } });

  if (!isJail) {
    it('are refused where the host allows no namespaces', async () => {
      const { status, body } = await server.tryDeploy('pay', pays(), declared());
      expect([status, body['message']]).toEqual([400, expect.stringContaining('allows no namespaces')]);
    });
    return;
  }

  it('let a function use what it does not hold, and follow what is set', async () => {
    await server.deploy('pay', pays(), declared());
    const [first, arrived] = (await (await server.call('pay')).json()) as string[];
    expect([first, arrived]).toEqual([expect.stringMatching(/^galley_secret_[0-9a-f]{40}$/), 'Bearer sk_1']);
    await setSecret('sk_2');
    const answered = async () => (await (await server.call('pay')).json()) as string[];
    let [next, now] = await answered();
    while (now === 'Bearer sk_1') [next, now] = await answered();
    expect(now).toBe('Bearer sk_2');
    expect(next).not.toBe(first);
  });

  it('refuse a value that would begin another header, when it is used', async () => {
    await server.deploy('pay', pays(), declared());
    await setSecret('sk_3\r\nX-Admin: true');
    let response = await server.call('pay');
    while (response.status === 200) response = await server.call('pay');
    expect([response.status, await response.json()]).toEqual([
      503,
      {
        code: 'BOOT_ERROR',
        message: expect.stringMatching(
          /^The secret STRIPE_KEY is in permissions\.egress_secrets and cannot stand/,
        ),
      },
    ]);
    await setSecret('sk_1');
  });

  it('name secrets that are set', async () => {
    const manifest = { permissions: { egress_secrets: { NOT_SET: ['api.example.com'] } } };
    const { status, body } = await server.tryDeploy('other', pays(), manifest);
    expect([status, body['message']]).toEqual([
      400,
      expect.stringContaining('permissions.egress_secrets: the secret NOT_SET is not set'),
    ]);
  });

  it('trust the authorities that the operator names, where no secret is used too', async () => {
    await server.deploy(
      'visit',
      `Deno.serve(async () => new Response(String((await fetch('https://localhost:${hosts.tls}/')).status)));`,
      { permissions: { hosts: [`localhost:${hosts.tls}`] } },
    );
    expect(await (await server.call('visit')).text()).toBe('200');
  });
});
