import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataModule } from '#libs/data';
import { startTestServer, type TestServer } from '../support/server.js';

const functionsSql = `
  create function area(side int) returns int language sql immutable as $$ select side * side $$;
  create function area(width int, height int, depth int default 1) returns int language sql immutable as
    $$ select width * height * depth $$;
  create function twice(a int, b int default 1) returns int language sql immutable as $$ select 2 $$;
  create function twice(a int, c text default 'x') returns text language sql immutable as $$ select 'two' $$;
  create function echo_text(text) returns text language sql immutable as $$ select $1 $$;
  create function echo_number(int) returns int language sql immutable as $$ select $1 $$;
  create view loop as select 1 as id;
  create or replace view loop as select id from loop;
`;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ modules: [DataModule] });
  await server.project.database.query(functionsSql);
});
afterAll(() => server.close());

async function call(path: string, body?: object): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(`${server.url}/rest/v1/${path}`, {
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
    headers: { apikey: server.keys.publishableKey, 'content-type': 'application/json' },
  });
  return { status: response.status, answer: await response.json() };
}

describe('of several functions with one name', () => {
  it.each([
    [{ side: 3 }, 9],
    [{ width: 2, height: 3 }, 6],
    [{ width: 2, height: 3, depth: 4 }, 24],
  ])('the one that takes %j is called', async (args, answer) => {
    expect(await call('rpc/area', args)).toEqual({ status: 200, answer });
  });

  it('none is called when two would do', async () => {
    expect(await call('rpc/twice?a=1')).toEqual({
      status: 300,
      answer: {
        code: 'PGRST203',
        message:
          'Could not choose the best candidate function between: public.twice(a => integer, b => integer), public.twice(a => integer, c => text)',
        details: null,
        hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
      },
    });
  });
});

describe('a function that is not there', () => {
  const hint = async (path: string, body?: object) =>
    ((await call(path, body)).answer as { hint: string | null }).hint;

  it('may be one of a like name, or one of this name with like parameters', async () => {
    expect(await hint('rpc/aera?side=1')).toBeNull();
    expect(await hint('rpc/areas?side=1')).toBe('Perhaps you meant to call the function public.area');
    expect(await hint('rpc/area?width=1&higth=2&depth=3')).toBe(
      'Perhaps you meant to call the function public.area(depth, height, width)',
    );
    expect(await hint('rpc/area?sides=1')).toBe('Perhaps you meant to call the function public.area(side)');
    expect(await hint('rpc/area', { q: 1 })).toBeNull();
  });

  it('is also one whose only argument has no name and cannot be a body', async () => {
    expect(await call('rpc/echo_number', { x: 1 })).toEqual({
      status: 404,
      answer: {
        code: 'PGRST202',
        message: 'Could not find the function public.echo_number(x) in the schema cache',
        details:
          'Searched for the function public.echo_number with parameter x or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.',
        hint: null,
      },
    });
  });
});

it('answers on a schema with a view that selects from itself, and says of that what PostgreSQL does', async () => {
  expect(await call('loop')).toEqual({
    status: 500,
    answer: {
      code: '42P17',
      message: 'infinite recursion detected in rules for relation "loop"',
      details: null,
      hint: null,
    },
  });
});
