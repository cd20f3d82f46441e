import { describe, expect, it } from '@jest/globals';
import type { Transform } from './transform.js';
import { RenderTogether } from './render-together.js';

const never = new AbortController().signal;
const open = async () => ({
  render: async ({ width }: Transform) => {
    if (width === 0) throw new Error('cannot');
    return { data: Buffer.from(String(width)), mimeType: 'image/webp' };
  },
});

describe('renderings of one version that wait together', () => {
  it('are opened once for all of them, and each gets its own', async () => {
    const together = new RenderTogether(() => {});
    const joined = [1, 2, 3].map((width) => together.join({ width }, true, never));
    let opened: readonly Transform[] = [];
    await together.render((transforms) => {
      opened = transforms;
      return open();
    });
    expect(opened).toEqual([{ width: 1 }, { width: 2 }, { width: 3 }]);
    expect((await Promise.all(joined)).map(({ data }) => data.toString())).toEqual(['1', '2', '3']);
  });

  it('fail one by one when one cannot be made, and all when the picture cannot be opened', async () => {
    const together = new RenderTogether(() => {});
    const joined = [0, 1].map((width) => together.join({ width }, true, never));
    const settled = Promise.allSettled(joined);
    await together.render(open);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);

    const broken = new RenderTogether(() => {});
    const waiting = Promise.allSettled([1, 2].map((width) => broken.join({ width }, true, never)));
    broken.fail(new Error('no picture'));
    expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('are left by who goes away, and deserted when the last one went', async () => {
    let deserted = 0;
    const together = new RenderTogether(() => (deserted += 1));
    const [first, second] = [new AbortController(), new AbortController()];
    const settled = Promise.allSettled([
      together.join({ width: 1 }, true, first.signal),
      together.join({ width: 2 }, true, second.signal),
    ]);
    first.abort(new Error('gone'));
    expect([together.size, deserted, together.deserted.aborted]).toEqual([1, 0, false]);
    second.abort(new Error('gone too'));
    expect([together.size, deserted, together.deserted.aborted]).toEqual([0, 1, true]);
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(together.join({ width: 3 }, true, first.signal)).rejects.toThrow('gone');
  });
});
