import { describe, expect, it } from '@jest/globals';
import { eventNames, type StartedDelivery } from '#libs/events';
import type { Project } from '#libs/platform';
import { eventBody, eventHeaders, retryAfterMs } from './event-request.js';

describe('the body of an event run', () => {
  const nothing = {
    subject: null,
    schema: null,
    table: null,
    record: null,
    oldRecord: null,
    leftOut: null,
    whole: '{}',
  };
  const row = (record: string | null, oldRecord: string | null) => ({
    ...nothing,
    schema: 'public',
    table: 'posts',
    record,
    oldRecord,
  });

  it.each([
    ['user.created', { ...nothing, record: '{"id":1}' }, ['INSERT', 'auth', 'users', { id: 1 }, null]],
    [
      'user.updated',
      { ...nothing, record: '{"id":1,"a":2}', oldRecord: '{"id":1}' },
      ['UPDATE', 'auth', 'users', { id: 1, a: 2 }, { id: 1 }],
    ],
    ['user.deleted', { ...nothing, record: '{"id":1}' }, ['DELETE', 'auth', 'users', null, { id: 1 }]],
    ['user.signed_in', { ...nothing, record: '{"id":1}' }, ['UPDATE', 'auth', 'users', { id: 1 }, null]],
    [
      'object.moved',
      { ...nothing, record: '{"name":"b"}', oldRecord: '{"name":"a"}' },
      ['UPDATE', 'storage', 'objects', { name: 'b' }, { name: 'a' }],
    ],
    ['object.created', { ...nothing, record: '{"id":1}' }, ['INSERT', 'storage', 'objects', { id: 1 }, null]],
    ['object.removed', { ...nothing, record: '{"id":1}' }, ['DELETE', 'storage', 'objects', null, { id: 1 }]],
    ['row.inserted', row('{"id":1}', null), ['INSERT', 'public', 'posts', { id: 1 }, null]],
    ['row.updated', row('{"id":2}', '{"id":1}'), ['UPDATE', 'public', 'posts', { id: 2 }, { id: 1 }]],
    ['row.deleted', row(null, '{"id":1}'), ['DELETE', 'public', 'posts', null, { id: 1 }]],
  ])('of %s has the shape of a database webhook', (name, payload, expected) => {
    const { type, schema, table, record, old_record, ...rest } = JSON.parse(eventBody(name, payload));
    expect([type, schema, table, record, old_record]).toEqual(expected);
    expect(rest).toEqual({});
  });

  it('names the columns that a large row goes without', () => {
    const body = eventBody('row.inserted', { ...row('{"id":1,"text":null}', null), leftOut: ['text'] });
    expect(JSON.parse(body)).toMatchObject({ record: { id: 1 }, left_out: ['text'] });
  });

  it('keeps numbers that JavaScript cannot hold', () => {
    expect(eventBody('row.inserted', row('{"id":9007199254740993}', null))).toContain('9007199254740993');
  });

  it('exists for every event of the catalogue', () => {
    for (const name of eventNames) expect(() => eventBody(name, row('{}', '{}'))).not.toThrow();
  });
});

it('headers of an event are visible ASCII, whatever its subject', () => {
  const project = { ref: 'local', apiUrl: 'http://127.0.0.1:54321' } as Project;
  const payload = { subject: 'avatars/änn "me" 100%.jpg' };
  const delivery = { id: '1', occurredAt: new Date(0), attempt: 1, payload } as StartedDelivery;
  expect(eventHeaders(project, delivery)).toMatchObject({
    'content-type': 'application/json',
    'ce-subject': 'avatars/%C3%A4nn%20%22me%22%20100%25.jpg',
  });
});

describe('Retry-After', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  it.each([
    [429, '7', 7000],
    [503, 'Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    [503, 'Wed, 31 Dec 2025 00:01:00 GMT', null],
    [429, '0', null],
    [429, '99999999', 24 * 3600 * 1000],
    [429, 'soon', null],
    [429, undefined, null],
    [500, '7', null],
  ])('of status %d as %j is %j ms', (status, header, expected) => {
    expect(retryAfterMs(status, header, now)).toBe(expected);
  });
});
