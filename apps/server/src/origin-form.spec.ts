import { expect, it } from '@jest/globals';
import { originForm } from './origin-form.js';

it.each([
  ['http://galley.example/rest/v1/films?id=eq.1', '/rest/v1/films?id=eq.1'],
  ['HTTPS://galley.example:8443/v1/projects', '/v1/projects'],
  ['http://galley.example', '/'],
  ['http://galley.example?apikey=a', '/?apikey=a'],
  ['http://galley.example?to=/v1/', '/?to=/v1/'],
])('takes the origin off %s', (url, expected) => {
  expect(originForm({ url })).toBe(expected);
});

// What the router answers as a URL that is none.
it.each([
  '/rest/v1/films?q=http://a/b',
  '*',
  '',
  'http:///v1/projects',
  'http://a#/v1/',
  'ftp://a/v1/',
  'a:80',
])('leaves %j as it is', (url) => expect(originForm({ url })).toBe(url));
