import { describe, expect, it } from '@jest/globals';
import { functionTarget } from './function-request.js';

describe('the function that a URL is for', () => {
  it.each([
    ['/functions/v1/hello', 'hello', '/hello'],
    ['/functions/v1/hello/a/b?x=1&y=%2F', 'hello', '/hello/a/b?x=1&y=%2F'],
    ['/functions/v1/hello?x=1', 'hello', '/hello?x=1'],
    ['/functions/v1//hello/', 'hello', '/hello/'],
    ['/functions/v1/', '', '/'],
    ['/functions/v1/?x=1', '', '/?x=1'],
  ])('%s is %j and sees %s', (url, slug, path) => {
    expect(functionTarget(url)).toEqual({ slug, path });
  });
});
