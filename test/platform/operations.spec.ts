import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HealthModule } from '../../apps/server/src/features.js';
import { eventually } from '../support/eventually.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';

describe('what an operator asks', () => {
  let server: FunctionsServer;
  beforeAll(async () => {
    server = await startFunctionsServer([HealthModule]);
    await server.deploy('hello', 'Deno.serve(() => new Response("hello"));');
    expect((await server.call('hello')).status).toBe(200);
  });
  afterAll(() => server.close());

  const metrics = (key: string) =>
    fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${key}` } });

  it('is answered without a key when it is about health, with the isolation that functions get', async () => {
    const response = await fetch(`${server.url}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      status: 'ok',
      isolation: expect.objectContaining({
        runtime: expect.stringMatching(/^deno \d/),
        network: expect.any(String),
        separateUser: process.getuid?.() === 0,
      }),
    });
  });

  it('is answered to the secret key alone when it is about metrics', async () => {
    expect((await fetch(`${server.url}/metrics`)).status).toBe(403);
    expect((await metrics(server.keys.publishableKey)).status).toBe(403);
    expect((await metrics(server.keys.anonKey)).status).toBe(403);
    const response = await metrics(server.keys.secretKey);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('has the requests by service and status, and what functions do', async () => {
    const text = await (await metrics(server.keys.secretKey)).text();
    const served = 'service="functions",method="GET",status="200"';
    expect(text).toMatch(
      new RegExp(`^galley_http_request_duration_seconds_bucket\\{le="10",${served}\\} 1$`, 'm'),
    );
    expect(text).toMatch(/^galley_function_instances\{state="idle"\} 1$/m);
    expect(text).toMatch(/^galley_function_calls_waiting 0$/m);
  });
});

describe('the bounds that an operator sets', () => {
  it('hold the instances of all functions together, and end the idle ones', async () => {
    const server = await startFunctionsServer([HealthModule], {
      GALLEY_MAX_INSTANCES: '1',
      GALLEY_INSTANCE_IDLE_MS: '1500',
    });
    try {
      await server.deploy('one', 'Deno.serve(() => new Response("one"));');
      await server.deploy('two', 'Deno.serve(() => new Response("two"));');
      expect(await (await server.call('one')).text()).toBe('one');
      expect(await (await server.call('two')).text()).toBe('two');
      const idle = async () => {
        const headers = { authorization: `Bearer ${server.keys.secretKey}` };
        const text = await (await fetch(`${server.url}/metrics`, { headers })).text();
        return Number(/^galley_function_instances\{state="idle"\} (\d+)$/m.exec(text)![1]);
      };
      expect(await idle()).toBe(1);
      await eventually(async () => (await idle()) === 0, { what: 'the idle instance gone' });
    } finally {
      await server.close();
    }
  });
});
