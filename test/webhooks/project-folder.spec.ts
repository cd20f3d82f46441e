import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secrets } from '#libs/functions';
import { createLogger } from '#libs/platform';
import { Webhooks, WebhooksHttpModule } from '#libs/webhooks';
import { deploy } from '../../apps/cli/src/deploy.js';
import { readProjectFolder } from '../../apps/server/src/project-folder/read-project-folder.js';
import { saveWebhooks } from '../../apps/server/src/project-folder/save-webhooks.js';
import { startFunctionsServer, type FunctionsServer } from '../functions/functions-server.js';

const hook = (name: string, more: string) =>
  `[[webhooks]]\nname = "${name}"\nurl = "https://example.com/${name}"\nsecret = "KEY"\n${more}\n`;

describe('the webhooks of galley.toml', () => {
  let server: FunctionsServer;
  let root: string;
  beforeAll(async () => {
    server = await startFunctionsServer([WebhooksHttpModule.with(Secrets)]);
    await server.manage('POST', '/secrets', [
      { name: 'KEY', value: `whsec_${Buffer.alloc(32).toString('base64')}` },
    ]);
    root = await mkdtemp(join(tmpdir(), 'galley-folder-'));
    await mkdir(join(root, 'supabase'));
  }, 60_000);
  afterAll(async () => {
    await server.close();
    await rm(root, { recursive: true });
  });

  const toml = (...hooks: string[]) => writeFile(join(root, 'galley.toml'), hooks.join('\n'));
  const kept = async () => {
    const { body } = await server.manage('GET', '/webhooks');
    return (body as unknown as Record<string, unknown>[]).map(
      ({ created_at: _c, updated_at: _u, disabled_at: _d, disabled_reason: _r, url: _l, ...rest }) => rest,
    );
  };
  const common = { secret: 'KEY', attempts: 15, enabled: true };

  it('are brought to a server that runs, and those that it refuses are named', async () => {
    await toml(
      hook('people', 'event = "user.created"'),
      hook('pictures', 'event = "object.created"\nbucket = "avatars"\nprefix = "ann/"'),
      hook('wrong', 'event = "row.inserted"'),
    );
    const said: string[] = [];
    const management = { url: server.url, token: server.keys.secretKey };
    await expect(deploy(management, root, (line) => said.push(line))).rejects.toThrow(
      /^webhook wrong was not saved: table: expected "schema.table"/,
    );
    expect(said).toEqual(['webhook people: saved', 'webhook pictures: saved']);
    expect(await kept()).toEqual([
      { name: 'people', event: 'user.created', ...common },
      { name: 'pictures', event: 'object.created', bucket: 'avatars', prefix: 'ann/', ...common },
    ]);
  });

  it('become what the file says where a server serves it, and stay disabled', async () => {
    await toml(
      hook('people', 'event = "user.created"\nattempts = 3'),
      hook('pictures', 'event = "object.created"\nbucket = "avatars"'),
      hook('broken', 'event = "nothing"'),
      hook('last', 'event = "object.removed"'),
    );
    await server.manage('PATCH', '/webhooks/people', { enabled: false });
    const context = {
      project: server.project,
      webhooks: server.get(Webhooks),
      logger: createLogger({ level: 'silent', name: 'test' }),
    };
    await saveWebhooks(context, await readProjectFolder(root));
    expect(await kept()).toEqual([
      { name: 'last', event: 'object.removed', ...common },
      { name: 'people', event: 'user.created', ...common, attempts: 3, enabled: false },
      { name: 'pictures', event: 'object.created', bucket: 'avatars', ...common },
    ]);
  });
});
