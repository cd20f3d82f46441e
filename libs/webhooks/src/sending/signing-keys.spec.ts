import { describe, expect, it } from '@jest/globals';
import { signatureHeaders, signingKeys } from './signing-keys.js';

const key = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const message = [
  'msg_p5jXN8AQM9LWM0D4loKWxJek',
  new Date(1614265330_999),
  Buffer.from('{"test": 2432232314}'),
] as const;

describe('a signature', () => {
  it('is that of Standard Webhooks', () => {
    expect(signatureHeaders(signingKeys('KEY', key), ...message)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is made with each of two keys', () => {
    const both = signatureHeaders(signingKeys('KEY', ` ${other} ${key}\n`), ...message)['webhook-signature']!;
    const [first, second] = both.split(' ');
    expect(first).toBe(signatureHeaders(signingKeys('KEY', other), ...message)['webhook-signature']);
    expect(second).toBe(signatureHeaders(signingKeys('KEY', key), ...message)['webhook-signature']);
  });
});

describe('a signing key', () => {
  it.each([
    ['empty', ''],
    ['without its prefix', key.slice('whsec_'.length)],
    ['too short', `whsec_${Buffer.alloc(23).toString('base64')}`],
    ['too long', `whsec_${Buffer.alloc(65).toString('base64')}`],
    ['not of base64', 'whsec_************************************'],
    ['one of three', `${key} ${other} ${key}`],
    ['one of a good and a bad one', `${key} whsec_short`],
  ])('is refused when it is %s, and not told', (_what, value) => {
    const refusing = () => signingKeys('MY_KEY', value);
    expect(refusing).toThrow(/the value of MY_KEY is no key/);
    if (value !== '') expect(refusing).not.toThrow(value);
  });
});
