import { describe, expect, it } from '@jest/globals';
import type { StartedDelivery } from '#libs/events';
import type { Project } from '#libs/platform';
import fc from 'fast-check';
import { batchBody, failuresOf } from './batch-request.js';

const answer = (failures: unknown) => JSON.stringify({ batchItemFailures: failures });
const named = (...ids: unknown[]) => answer(ids.map((itemIdentifier) => ({ itemIdentifier })));

describe('what a function answers to a batch', () => {
  it.each([[''], ['done'], ['null'], ['{}'], [answer([])], [answer(null)], ['[1]']])(
    '%j means that all of it is done',
    (text) => {
      expect(failuresOf(text, ['a', 'b'])).toEqual(new Set());
    },
  );

  it.each([[answer('a')], [named(1)], [answer([{ id: 'a' }])], [named('')], [named('a', 'c')]])(
    '%j means that none of it is known to be done',
    (text) => {
      expect(typeof failuresOf(text, ['a', 'b'])).toBe('string');
    },
  );

  it('names exactly the events that failed', () => {
    const ids = fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        ids.chain((all) => fc.tuple(fc.constant(all), fc.subarray(all))),
        ([all, failed]) => {
          expect(failuresOf(named(...failed), all)).toEqual(new Set(failed));
        },
      ),
    );
  });
});

it('a batch is an array of CloudEvents, whose numbers stay what they were', () => {
  const delivery = {
    eventId: 'e',
    eventName: 'row.inserted',
    occurredAt: new Date(0),
    attempt: 2,
    payload: {
      subject: 'public.posts',
      schema: 'public',
      table: 'posts',
      record: '{"id":9007199254740993}',
      oldRecord: null,
      leftOut: null,
    },
  } as StartedDelivery;
  const body = batchBody({ ref: 'local' } as Project, [delivery, { ...delivery, eventId: 'f' }]);
  expect(body).toContain('9007199254740993');
  const common = {
    specversion: '1.0',
    type: 'row.inserted',
    source: '/projects/local',
    subject: 'public.posts',
    datacontenttype: 'application/json',
    galleyattempt: 2,
    data: { type: 'INSERT', table: 'posts' },
  };
  expect(JSON.parse(body)).toMatchObject([
    { id: 'e', ...common },
    { id: 'f', ...common },
  ]);
});
