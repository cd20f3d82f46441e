import { describe, expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { BatchResponses } from './batch-responses.js';
import { writeJson } from './json-text.js';

const json = { 'content-type': 'application/json; charset=utf-8' };

describe('the responses of a batch', () => {
  it('have their bodies as JSON, or in a text', () => {
    const responses = new BatchResponses();
    responses.add('a', { status: 201, headers: json, body: '[{"id":9007199254740993}]' });
    responses.add(undefined, { status: 200, headers: { 'content-type': 'text/csv' }, body: 'id\n1' });
    responses.add(undefined, { status: 204, headers: {}, body: undefined });
    const bytes = { 'content-type': 'application/octet-stream' };
    responses.add(undefined, { status: 200, headers: bytes, body: Buffer.from([0, 255]) });
    responses.add(undefined, { status: 200, headers: json, body: 'not JSON "at all"' });
    expect(responses.toJson()).toContain('"body":[{"id":9007199254740993}]');
    expect(JSON.parse(responses.toJson())).toEqual({
      responses: [
        { id: 'a', status: 201, headers: json, body: [{ id: Number('9007199254740993') }] },
        { status: 200, headers: { 'content-type': 'text/csv' }, body: 'id\n1' },
        { status: 204, headers: {}, body: null },
        { status: 200, headers: bytes, body: 'AP8=' },
        { status: 200, headers: json, body: 'not JSON "at all"' },
      ],
    });
    expect(writeJson(responses.bodyAt(0))).toBe('[{"id":9007199254740993}]');
    expect(writeJson(responses.bodyAt(2))).toBe('null');
  });

  it('have a bound on all of them together, in bytes', () => {
    const responses = new BatchResponses();
    const ofBytes = (bytes: number) => JSON.stringify('é'.repeat(bytes / 2 - 1));
    const half = limits.batchResponseBytes / 2;
    responses.add(undefined, { status: 200, headers: json, body: ofBytes(half) });
    const more = { status: 200, headers: json, body: ofBytes(half + 2) };
    expect(() => responses.add(undefined, more)).toThrow(`more than ${limits.batchResponseBytes} bytes`);
  });

  it('are referred to only as deep as they can be written again', () => {
    const responses = new BatchResponses();
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    responses.add(undefined, { status: 200, headers: json, body: nested(limits.batchNesting) });
    responses.add(undefined, { status: 200, headers: json, body: nested(5_000) });
    expect(writeJson(responses.bodyAt(0))).toBe(nested(limits.batchNesting));
    expect(() => responses.bodyAt(1)).toThrow('lists and objects in each other');
  });
});
