import { afterAll, beforeAll, expect } from '@jest/globals';
import fc from 'fast-check';
import { Client } from 'undici';
import type { TestServer } from '../support/server.js';
import { startFestival } from './festival.js';

/** The same requests at each run; what fast-check prints on failure repeats it. */
const seed = 20_261_123;
/** Far above what any of them takes, and far below what a blow-up would take. */
const longestMs = 10_000;

/** A request as it goes over the wire. */
export interface Sent {
  readonly method: string;
  /** Below `/rest/v1/`. */
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

export const prototypeNames = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'then',
  'prototype',
  'length',
];
const columns = fc.constantFrom('id', 'title', 'year', 'tags', 'info', 'running');
const tables = fc.constantFrom('directors', 'roles', 'actors', 'posters', 'works', 'nothing');
export const names = fc.oneof({ weight: 5, arbitrary: columns }, tables, fc.constantFrom(...prototypeNames));

/** Characters that the grammar knows, and some that it does not. */
const marks = [
  ...'().,:;!*->"\\{}[]%+&=#?/ \t\n\'$0a_é✓',
  '..',
  '->>',
  '::',
  '!inner',
  '...',
  'null',
  '%00',
  '%ff',
  '%',
  '%2',
  '%zz',
  '%ed%a0%80',
  ';--',
  '/*',
];
export const noise = fc
  .array(fc.oneof(fc.constantFrom(...marks), names, fc.string()), { maxLength: 12 })
  .map((parts) => parts.join(''));

/**
 * A server with the festival in its database, and what sends requests there that no browser would.
 * @param environment settings beside the ones that a test needs
 */
export function withVictim(environment: Record<string, string> = {}) {
  let server: TestServer;
  // Sends paths as they are, where fetch would mend them.
  let client: Client;
  let before: unknown;

  beforeAll(async () => {
    server = await startFestival({ PGRST_DB_AGGREGATES_ENABLED: 'true', ...environment });
    client = new Client(server.url);
    before = await databaseOf(server);
  });
  afterAll(async () => {
    await client.close();
    await server.close();
  });

  async function answerTo({ method, path, headers, body }: Sent): Promise<{ status: number; text: string }> {
    const response = await client.request({
      method: method as 'GET',
      path: `/rest/v1/${path}`,
      headers: { apikey: server.keys.publishableKey, ...headers },
      body,
    });
    return { status: response.statusCode, text: await response.body.text() };
  }

  /** The answer must be a right one or a clear refusal, as PostgREST writes it, and no SQL may have come of the text. */
  async function isAnsweredInShape(sent: Sent): Promise<void> {
    const began = performance.now();
    const { status, text } = await answerTo(sent);
    const told = `${status} ${text.slice(0, 300)}`;
    expect({ told, failed: status >= 500 }).toEqual({ told, failed: false });
    expect(performance.now() - began).toBeLessThan(longestMs);
    if (status < 300) return;
    const error = JSON.parse(text) as Record<string, unknown>;
    expect({ told, keys: Object.keys(error).toSorted() }).toEqual({
      told,
      keys: ['code', 'details', 'hint', 'message'],
    });
    expect(error['message']).not.toMatch(brokenSql);
  }

  return {
    answerTo,
    isAnsweredInShape,
    holdsForAll: (sent: fc.Arbitrary<Sent>, numRuns: number) =>
      fc.assert(fc.asyncProperty(sent, isAnsweredInShape), { seed, numRuns }),
    /** Nothing of the database is other than it was at first. */
    isUnchanged: async () => expect(await databaseOf(server)).toEqual(before),
  };
}

/** What PostgreSQL's grammar says of a statement; `to_tsquery` has words of its own for its argument. */
const brokenSql = /syntax error (?:at or near|at end of input)|^unterminated |^zero-length delimited/;

async function databaseOf(server: TestServer): Promise<unknown> {
  const { rows } = await server.project.database.query(`
    select c.oid::regclass::text as name, c.relkind, c.relacl::text,
      case when c.relkind = 'r' then query_to_xml(format('select * from %s order by 1', c.oid::regclass), true, true, '')::text end as rows
    from pg_catalog.pg_class c where relnamespace in ('public'::regnamespace, 'auth'::regnamespace) and relkind <> 'S'
    order by c.oid`);
  return rows;
}
