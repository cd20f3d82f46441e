import { describe, expect, it } from '@jest/globals';
import { HeldBodies } from './held-bodies.js';

const bodies = () => new HeldBodies({ heldBodyBytes: 80, smallBodyBytes: 2, smallBodiesBytes: 8 });
const tooBusy = expect.objectContaining({ code: 'too_busy', status: 503, headers: { 'Retry-After': '5' } });

describe('bodies that are arriving', () => {
  it('of one client take half of the room, and those of the next half of the rest', () => {
    const held = bodies();
    for (let i = 0; i < 4; i++) held.add(10, 10, 'a');
    expect(() => held.add(10, 10, 'a')).toThrow(tooBusy);
    held.remove(10, 'a');
    for (let i = 0; i < 2; i++) held.add(10, 10, 'b');
    expect(() => held.add(10, 10, 'b')).toThrow(tooBusy);
    held.remove(30, 'b');
    held.remove(40, 'a');
    for (let i = 0; i < 4; i++) held.add(10, 10, 'b');
  });

  it('are refused when small only where the room that is theirs is full, too', () => {
    const held = bodies();
    held.add(80, 80, undefined);
    for (let i = 0; i < 4; i++) held.add(2, 2, 'a');
    expect(() => held.add(2, 2, 'b')).toThrow(tooBusy);
    held.remove(2, 'b');
    held.remove(2, 'a');
    held.add(2, 2, 'b');
  });
});
