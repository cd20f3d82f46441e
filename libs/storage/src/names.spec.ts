import { describe, expect, it } from '@jest/globals';
import { objectAddress, requireBucketName, requireObjectName } from './names.js';

describe('names', () => {
  it.each(['a.png', "folder/cat's (1) & co.png", 'a/b/c', '.emptyFolderPlaceholder', 'x=1;y:2,+?@$!*'])(
    'admits the object name %j',
    (name) => expect(requireObjectName(name)).toBe(name),
  );

  it.each(['', 'naïve.png', 'a\\b', 'a%b', 'a#b', 'a\nb', 'a\0b', '[x]', 'x'.repeat(1025)])(
    'refuses the object name %j',
    (name) => expect(() => requireObjectName(name)).toThrow(expect.objectContaining({ code: 'InvalidKey' })),
  );

  it.each(['', ' avatars', 'a/b', 'ä', 'x'.repeat(101)])('refuses the bucket name %j', (name) =>
    expect(() => requireBucketName(name)).toThrow(expect.objectContaining({ code: 'InvalidBucketName' })),
  );

  it('reads bucket and name from a request target', () => {
    expect(objectAddress('/storage/v1/object/public/a%20b/c/d%3Fe.png?download=', '/object/public/')).toEqual(
      {
        bucket: 'a b',
        name: 'c/d?e.png',
      },
    );
  });

  it.each(['/object/', '/object/a', '/object/a/', '/object/a/%zz', '/object//x'])(
    'refuses the target %s',
    (target) =>
      expect(() => objectAddress(target, '/object/')).toThrow(expect.objectContaining({ status: 400 })),
  );
});
