import { describe, expect, it } from '@jest/globals';
import type { Project } from '#libs/platform';
import type { CommittedEvent, RequestedCall } from '../catalogue.js';
import { requestedDelivery } from './requested-delivery.js';

const asked = (change: Partial<RequestedCall> = {}): RequestedCall => ({
  url: 'https://example.com/hook',
  method: 'POST',
  headers: {},
  params: {},
  timeout_ms: 1000,
  ...change,
});
const nowhere = { bucket: null, object: null, schema: 'public', table: 'orders' };
const event: CommittedEvent = {
  id: '01980000-0000-7000-8000-000000000000',
  name: 'row.inserted',
  subject: nowhere as CommittedEvent['subject'],
  payload: '{"record": {"n": 12345678901234567890}}',
  requestId: 'r',
  depth: 0,
  occurredAt: new Date(0),
} as CommittedEvent;
const requested = (url: string, apiUrl = 'http://127.0.0.1:54321', change: Partial<RequestedCall> = {}) =>
  requestedDelivery({ ref: 'local', apiUrl } as Project, event, asked({ url, ...change }));

describe('what a trigger asks for', () => {
  it.each([
    ['its own address', 'http://127.0.0.1:54321/functions/v1/hello'],
    ['localhost', 'http://localhost:54321/functions/v1/hello'],
    ['its machine as containers call it', 'http://host.docker.internal:54321/functions/v1/hello'],
    ['the gateway of a stack of Supabase', 'http://kong:8000/functions/v1/hello'],
  ])('is a call of the function when the URL is of %s', (_what, url) => {
    expect(requested(url).delivery).toMatchObject({ functionSlug: 'hello', refusal: null });
    expect(requested(`${url}/a%20b?x=1`, undefined, { params: { y: 2 } }).request).toMatchObject({
      target: '/hello/a%20b?x=1&y=2',
    });
  });

  it.each([
    ['another host', 'https://example.com/functions/v1/hello', 'url.example.com'],
    ['another port', 'http://127.0.0.1:54322/functions/v1/hello', 'url.127.0.0.1_54322'],
    ['another service', 'http://127.0.0.1:54321/rest/v1/rpc/f', 'url.127.0.0.1_54321'],
    ['no function', 'http://127.0.0.1:54321/functions/v1/', 'url.127.0.0.1_54321'],
    ['IPv6', 'http://[::1]:9000/', 'url._::1__9000'.replaceAll(':', '_')],
  ])('is a request to the URL when that is of %s', (_what, url, target) => {
    expect(requested(url).delivery).toMatchObject({ functionSlug: target, refusal: null });
    expect(requested(url).request).toMatchObject({ target: url });
  });

  it('takes localhost for itself only where it is there', () => {
    const { delivery } = requested('http://localhost:443/functions/v1/hello', 'https://api.example.com');
    expect(delivery.functionSlug).toBe('url.localhost_443');
    const own = requested('https://api.example.com/functions/v1/hello', 'https://api.example.com');
    expect(own.delivery.functionSlug).toBe('hello');
  });

  it('has the body that was committed, byte by byte, and a GET none', () => {
    expect(requested('http://x.test/').request.body!.toString()).toBe(event.payload);
    expect(requested('http://x.test/', undefined, { method: 'GET' }).request.body).toBeNull();
  });

  it('keeps its headers, whatever JSON they are', () => {
    const headers = { 'Content-Type': 'application/json', 'X-Number': 7, 'X-List': ['a'] };
    expect(requested('http://x.test/', undefined, { headers }).request.headers).toEqual({
      'content-type': 'application/json',
      'x-number': '7',
      'x-list': '["a"]',
    });
  });

  it.each([
    ['no URL', { url: 'nonsense' }, 'URL'],
    ['no web address', { url: 'file:///etc/passwd' }, 'URL'],
    ['a name of a header that is none', { headers: { 'a b': '1' } }, 'headers'],
    ['a value that would end its line', { headers: { a: '1\r\nb: 2' } }, 'headers'],
  ])('is refused when it is %s', (_what, change, word) => {
    const { delivery } = requested('http://x.test/', undefined, change);
    expect(delivery.refusal).toContain(word);
  });
});
