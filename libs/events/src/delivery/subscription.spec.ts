import { describe, expect, it } from '@jest/globals';
import type { CommittedEvent } from '../catalogue.js';
import { matches, type SubscriptionFilter } from './subscription.js';

const nowhere = {
  bucket: null,
  object: null,
  fromBucket: null,
  fromObject: null,
  schema: null,
  table: null,
  queue: null,
};
const upload: CommittedEvent = {
  id: '1',
  name: 'object.created',
  subject: { ...nowhere, bucket: 'avatars', object: 'ann/me.jpg' },
  payload: '{}',
  requestId: 'r',
  depth: 0,
  rootId: 'r',
  occurredAt: new Date(0),
};
const change: CommittedEvent = {
  ...upload,
  name: 'row.updated',
  subject: { ...nowhere, schema: 'public', table: 'posts' },
};

const move: CommittedEvent = {
  ...upload,
  name: 'object.moved',
  subject: { ...upload.subject, fromBucket: 'drafts', fromObject: 'bob/me.jpg' },
};

const on = (event: string, filter: SubscriptionFilter) => ({
  id: 's',
  functionSlug: 'f',
  event,
  filter,
  settings: {},
});

describe('a subscription', () => {
  it.each([
    ['of the same event without a filter', on('object.created', {}), upload, true],
    ['of another event', on('object.removed', {}), upload, false],
    ['of the bucket', on('object.created', { bucket: 'avatars' }), upload, true],
    ['of another bucket', on('object.created', { bucket: 'avatar' }), upload, false],
    ['of a prefix of the name', on('object.created', { bucket: 'avatars', prefix: 'ann/' }), upload, true],
    ['of another prefix', on('object.created', { bucket: 'avatars', prefix: 'bob/' }), upload, false],
    ['of where an object moved to', on('object.moved', { bucket: 'avatars', prefix: 'ann/' }), move, true],
    ['of where it was', on('object.moved', { bucket: 'drafts', prefix: 'bob/' }), move, true],
    ['of one of both places in half', on('object.moved', { bucket: 'drafts', prefix: 'ann/' }), move, false],
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
