import pg from 'pg';
import { newId } from '#libs/platform';
import { testEnvironment } from './environment.js';

/** A platform and a project database of one spec file's own. */
export interface TestDatabases {
  readonly projectUrl: string;
  readonly platformName: string;
  drop(): Promise<void>;
}

/** Clones both templates; a clone takes some 50 ms. */
export async function cloneDatabases(): Promise<TestDatabases> {
  const suffix = newId().slice(-12);
  const names = { project: `project_${suffix}`, platform: `platform_${suffix}` };
  await asSuperuser(async (client) => {
    await client.query(`create database ${names.project} template postgres`);
    await client.query(`create database ${names.platform} template template_platform`);
  });
  const url = new URL(testEnvironment.databaseUrl);
  url.pathname = `/${names.project}`;
  return {
    projectUrl: url.href,
    platformName: names.platform,
    drop: () =>
      asSuperuser(async (client) => {
        await client.query(`drop database ${names.project} with (force)`);
        await client.query(`drop database ${names.platform} with (force)`);
      }),
  };
}

async function asSuperuser(work: (client: pg.Client) => Promise<void>): Promise<void> {
  const url = new URL(testEnvironment.databaseUrl);
  url.pathname = '/template1';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
