import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SupabaseClient } from '@supabase/supabase-js';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { postgisUrl } from '../support/environment.js';
import { startProcess, type GalleyProcess } from '../support/galley-process.js';
import { newClient } from '../support/story.js';

const schema = `
  create schema if not exists extensions;
  create extension postgis schema extensions;
  grant usage on schema extensions to anon;
  create table public.places (id int primary key, name text, at extensions.geometry(point, 4326));
  insert into public.places select id, name, extensions.st_setsrid(extensions.st_makepoint(x, y), 4326)
    from (values (1, 'Bern', 7.44, 46.94), (2, 'Basel', 7.59, 47.56)) as v (id, name, x, y);
  create function public.places_near(x float, y float, degrees float) returns setof places language sql stable as
    'select * from places where extensions.st_dwithin(at, extensions.st_setsrid(extensions.st_makepoint(x, y), 4326), degrees)';
  grant select on public.places to anon;
  notify pgrst, 'reload schema'`;

const bern = {
  type: 'Feature',
  geometry: { type: 'Point', coordinates: [7.44, 46.94] },
  properties: { id: 1, name: 'Bern' },
};

if (postgisUrl === undefined) {
  describe.skip('on a PostgreSQL with PostGIS', () => {
    it('rows are features', () => {});
  });
} else {
  describe('on a PostgreSQL with PostGIS', () => {
    const suffix = randomBytes(4).toString('hex');
    const names = { project: `places_${suffix}`, platform: `galley_${suffix}` };
    const admin = new pg.Client(postgisUrl);
    let dataDir: string;
    let galley: GalleyProcess;
    let client: SupabaseClient;

    beforeAll(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'galley-postgis-'));
      await admin.connect();
      await admin.query(`create database ${names.project}`);
      const url = new URL(postgisUrl!);
      url.pathname = names.project;
      galley = await startProcess({
        program: 'cli',
        args: ['start'],
        environment: {
          DATABASE_URL: url.href,
          GALLEY_PLATFORM_DB: names.platform,
          GALLEY_MASTER_KEY: randomBytes(32).toString('base64'),
          GALLEY_DATA_DIR: dataDir,
        },
      });
      const project = new pg.Client(url.href);
      await project.connect();
      await project.query(schema);
      await project.end();
      const { publishableKey } = JSON.parse(await readFile(join(dataDir, 'connection.json'), 'utf8')) as {
        publishableKey: string;
      };
      client = newClient(galley.url, publishableKey);
    });
    afterAll(async () => {
      await galley.end('SIGTERM');
      for (const name of Object.values(names))
        await admin.query(`drop database if exists ${name} with (force)`);
      await admin.end();
      await rm(dataDir, { recursive: true, force: true });
    });

    it('rows are features', async () => {
      const { data } = await client.from('places').select().eq('id', 1).geojson();
      expect(data).toEqual({ type: 'FeatureCollection', features: [bern] });
    });

    it('no rows are none', async () => {
      const { data } = await client.from('places').select().eq('id', 9).geojson();
      expect(data).toEqual({ type: 'FeatureCollection', features: [] });
    });

    it('what a function returns are features, too', async () => {
      const near = client.rpc('places_near', { x: 7.4, y: 46.9, degrees: 0.1 });
      expect((await near.select('name, at').geojson()).data).toEqual({
        type: 'FeatureCollection',
        features: [{ ...bern, properties: { name: 'Bern' } }],
      });
    });

    it('rows without a geometry are refused', async () => {
      const { error, status } = await client.from('places').select('name').geojson();
      expect([status, error]).toMatchObject([
        400,
        { code: '22023', message: 'geometry column is missing', details: null, hint: null },
      ]);
    });

    it('a geometry is written as GeoJSON among other columns', async () => {
      const { data } = await client.from('places').select('name, at').eq('id', 2).single();
      expect(data).toMatchObject({ name: 'Basel', at: { type: 'Point', coordinates: [7.59, 47.56] } });
    });
  });
}
