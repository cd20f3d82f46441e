import { describe, expect, it } from '@jest/globals';
import { eventNames } from '#libs/events';
import { eventBody, retryAfterMs } from './event-request.js';

describe('the body of an event run', () => {
  it.each([
    ['user.created', { record: { id: 1 } }, ['INSERT', 'auth', 'users', { id: 1 }, null]],
    ['object.created', { bucket: 'b', record: { id: 1 } }, ['INSERT', 'storage', 'objects', { id: 1 }, null]],
    ['object.removed', { bucket: 'b', record: { id: 1 } }, ['DELETE', 'storage', 'objects', null, { id: 1 }]],
    ['row.inserted', row({ id: 1 }, null), ['INSERT', 'public', 'posts', { id: 1 }, null]],
    ['row.updated', row({ id: 2 }, { id: 1 }), ['UPDATE', 'public', 'posts', { id: 2 }, { id: 1 }]],
    ['row.deleted', row(null, { id: 1 }), ['DELETE', 'public', 'posts', null, { id: 1 }]],
  ])('of %s has the shape of a database webhook', (name, payload, expected) => {
    const { type, schema, table, record, old_record } = eventBody(name, payload);
    expect([type, schema, table, record, old_record]).toEqual(expected);
  });

  it('names the columns that a large row goes without', () => {
    const payload = { ...row({ id: 1, text: null }, null), left_out: ['text'] };
    expect(eventBody('row.inserted', payload)).toMatchObject({ record: { id: 1 }, left_out: ['text'] });
  });

  it('exists for every event of the catalogue', () => {
    for (const name of eventNames) expect(() => eventBody(name, row({}, {}))).not.toThrow();
  });

  function row(record: unknown, old_record: unknown) {
    return { schema: 'public', table: 'posts', record, old_record };
  }
});

describe('Retry-After', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  it.each([
    [429, '7', 7000],
    [503, 'Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    [503, 'Wed, 31 Dec 2025 00:01:00 GMT', 0],
    [429, '99999999', 24 * 3600 * 1000],
    [429, 'soon', null],
    [429, undefined, null],
    [500, '7', null],
  ])('of status %d as %j is %j ms', (status, header, expected) => {
    expect(retryAfterMs(status, header, now)).toBe(expected);
  });
});
