import { Injectable } from '@nestjs/common';
import { buffer } from 'node:stream/consumers';
import { ObjectBytes } from '../bytes/object-bytes.js';
import { objectKey } from '../bytes/object-key.js';
import { slowDown } from '../errors.js';
import { limits } from '../limits.js';
import { FairGate } from './fair-gate.js';
import { openPicture, type RenderedPicture } from './render-picture.js';
import { RenderTogether } from './render-together.js';
import type { Transform } from './transform.js';

export interface Rendering {
  readonly projectRef: string;
  readonly version: string;
  readonly transform: Transform;
  readonly acceptsWebp: boolean;
}

/** Renders pictures: a bounded number at once, the projects taking turns, those of one version together. */
@Injectable()
export class PictureRenderer {
  readonly #gate = new FairGate({
    atOnce: limits.rendersAtOnce,
    waitingPerKey: limits.rendersWaiting,
    full: () => slowDown('Too many pictures are being rendered'),
  });
  /** By the version's key; each holds those who wait for a turn of the gate. */
  readonly #waiting = new Map<string, RenderTogether>();

  constructor(private readonly bytes: ObjectBytes) {}

  /**
   * @param signal aborts when nobody wants the picture any more
   * @throws BytesMissing; AppError `InvalidRequest` (422) for what is no picture, `SlowDown` when too many wait
   */
  render(rendering: Rendering, signal: AbortSignal): Promise<RenderedPicture> {
    const { projectRef, version, transform, acceptsWebp } = rendering;
    const key = objectKey(projectRef, version);
    const joined = this.#waiting.get(key);
    if (joined && joined.size < limits.rendersTogether) return joined.join(transform, acceptsWebp, signal);
    const together = new RenderTogether(() => this.#close(key, together));
    const rendered = together.join(transform, acceptsWebp, signal);
    this.#waiting.set(key, together);
    this.#gate
      .run(projectRef, together.deserted, async () => {
        this.#close(key, together);
        const source = await buffer(await this.bytes.read(key));
        await together.render((transforms) => openPicture(source, transforms));
      })
      .catch((error: unknown) => {
        this.#close(key, together);
        together.fail(error);
      });
    return rendered;
  }

  /** Nobody may join any more. */
  #close(key: string, together: RenderTogether): void {
    if (this.#waiting.get(key) === together) this.#waiting.delete(key);
  }
}
