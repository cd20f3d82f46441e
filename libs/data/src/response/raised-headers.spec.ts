import { describe, expect, it } from '@jest/globals';
import { databaseErrorResponse } from './database-error.js';
import type { HttpResponse } from './http-response.js';
import { withResponseSettings } from './response-settings.js';

const plain: HttpResponse = { status: 200, headers: {}, body: '[]' };
const framing = [
  'Transfer-Encoding',
  'content-length',
  'connection',
  'trailer',
  'upgrade',
  'proxy-connection',
];

function raised(code: string, headers: object): HttpResponse {
  const error = Object.assign(new Error(JSON.stringify({ code, message: 'm' })), {
    code: 'PGRST',
    severity: 'ERROR',
    detail: JSON.stringify({ status: 402, headers }),
  });
  return databaseErrorResponse(error, undefined);
}

describe('what a function says of its response', () => {
  it.each(framing)('cannot be %s, which says where the response ends', (name) => {
    const responseHeaders = JSON.stringify([{ [name]: 'x' }]);
    expect(() => withResponseSettings(plain, { responseHeaders } as never)).toThrow(
      expect.objectContaining({ code: 'PGRST111', status: 500 }),
    );
    expect(JSON.parse(String(raised('1', { [name]: 'x' }).body)).code).toBe('PGRST121');
  });

  it('can be any other header', () => {
    const responseHeaders = '[{"X-Seat": "7"}]';
    expect(withResponseSettings(plain, { responseHeaders } as never).headers).toEqual({ 'x-seat': '7' });
    expect(raised('1', { 'X-Seat': '7' }).headers).toMatchObject({ 'x-seat': '7' });
  });

  it.each(['a\nb', 'é日'])('can be the code %j, which no header holds', (code) => {
    const response = raised(code, {});
    expect([response.status, JSON.parse(String(response.body)).code]).toEqual([402, code]);
    expect(response.headers).not.toHaveProperty('proxy-status');
    expect(raised('seat', {}).headers).toHaveProperty('proxy-status', 'PostgREST; error=seat');
  });
});
