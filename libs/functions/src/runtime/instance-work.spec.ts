import { expect, it } from '@jest/globals';
import { InstanceWork } from './instance-work.js';
import { marks } from './loader/protocol.js';

it('is told of the end of background work only when there was any', () => {
  let looks = 0;
  const work = new InstanceWork(() => (looks += 1));
  work.begin('a');
  work.onNotice(marks.backgroundBegan, '');
  work.end('a');
  expect(looks).toBe(1);
  work.onNotice(marks.backgroundEnded, '');
  expect(looks).toBe(2);
  for (let i = 0; i < 1000; i++) work.onNotice(marks.backgroundEnded, '');
  expect(looks).toBe(2);
});
