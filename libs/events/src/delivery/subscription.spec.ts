import { describe, expect, it } from '@jest/globals';
import type { CommittedEvent } from '../catalogue.js';
import { matches, type SubscriptionFilter } from './subscription.js';

const upload: CommittedEvent = {
  id: '1',
  name: 'object.created',
  subject: { bucket: 'avatars', object: 'ann/me.jpg', schema: null, table: null, queue: null },
  payload: '{}',
  requestId: 'r',
  depth: 0,
  occurredAt: new Date(0),
};
const change: CommittedEvent = {
  ...upload,
  name: 'row.updated',
  subject: { bucket: null, object: null, schema: 'public', table: 'posts', queue: null },
};

const on = (event: string, filter: SubscriptionFilter) => ({ id: 's', functionSlug: 'f', event, filter });

describe('a subscription', () => {
  it.each([
    ['of the same event without a filter', on('object.created', {}), upload, true],
    ['of another event', on('object.removed', {}), upload, false],
    ['of the bucket', on('object.created', { bucket: 'avatars' }), upload, true],
    ['of another bucket', on('object.created', { bucket: 'avatar' }), upload, false],
    ['of a prefix of the name', on('object.created', { bucket: 'avatars', prefix: 'ann/' }), upload, true],
    ['of another prefix', on('object.created', { bucket: 'avatars', prefix: 'bob/' }), upload, false],
    ['of the table', on('row.updated', { table: 'public.posts' }), change, true],
    [
      'of a table of that name in another schema',
      on('row.updated', { table: 'private.posts' }),
      change,
      false,
    ],
    ['of a bucket, asked about a row', on('row.updated', { bucket: 'avatars' }), change, false],
  ])('%s', (_, subscription, event, expected) => {
    expect(matches(subscription, event)).toBe(expected);
  });
});
