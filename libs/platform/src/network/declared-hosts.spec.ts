import { describe, expect, it } from '@jest/globals';
import { DeclaredHosts } from './declared-hosts.js';

describe('declared hosts', () => {
  const hosts = new DeclaredHosts(['Example.com', '*.wild.test', 'only.test:8443', '[2606:4700::1111]:443']);

  it('permit themselves, at their ports', () => {
    expect(hosts.permits('example.com', 443)).toBe(true);
    expect(hosts.permits('example.com', 80)).toBe(true);
    expect(hosts.permits('only.test', 8443)).toBe(true);
    expect(hosts.permits('2606:4700::1111', 443)).toBe(true);
  });

  it('permit no other port', () => {
    expect(hosts.permits('example.com', 22)).toBe(false);
    expect(hosts.permits('only.test', 443)).toBe(false);
  });

  it('permit with a star whatever is below, but not the name itself', () => {
    expect(hosts.permits('a.wild.test', 443)).toBe(true);
    expect(hosts.permits('a.b.wild.test', 443)).toBe(true);
    expect(hosts.permits('wild.test', 443)).toBe(false);
  });

  it.each([
    ['ends like it', 'notexample.com'],
    ['ends like one below a star', 'evilwild.test'],
    ['begins with it', 'example.com.evil.test'],
    ['begins with one below a star', 'a.wild.test.evil.test'],
    ['is below one without a star', 'www.example.com'],
    ['is empty', ''],
    ['is a star', '*.wild.test'],
    ['ends at a zero byte for some resolvers', 'evil.test\0.wild.test'],
    ['holds a slash', 'evil.test/.wild.test'],
    ['holds an at sign', 'evil.test@a.wild.test'],
    ['has an empty label', 'a..wild.test'],
    ['holds a dot of another alphabet', 'evil。a.wild.test'],
    ['is longer than a name can be', `${'a.'.repeat(130)}wild.test`],
  ])('do not permit a name that %s', (_what, name) => {
    expect(hosts.permitsName(name)).toBe(false);
    expect(hosts.permits(name, 443)).toBe(false);
  });
});
