import { marks } from './loader/protocol.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** What one instance is busy with, by what we asked of it and by what its loader tells. */
export class InstanceWork {
  readonly #invocations = new Set<string>();
  /** Of invocations whose connection broke: called when the handler has ended. */
  readonly #handlers = new Map<string, () => void>();
  #onBackgroundEnd: (() => void)[] = [];
  /** The last that began, the newest at the end: they may write long after their answers. */
  readonly #began = new Set<string>();
  #lastInvocationId: string | null = null;
  #hasBackground = false;
  #askedUntilMs = 0;
  #isOver = false;

  /** @param onIdle called when the last thing that was asked of the instance has ended */
  constructor(private readonly onIdle: () => void) {}

  get hasBackground(): boolean {
    return this.#hasBackground;
  }

  /** Whether an invocation runs, or the handler of one whose connection broke. */
  get isAsked(): boolean {
    return this.#invocations.size > 0 || this.#handlers.size > 0;
  }

  /**
   * The invocation that wrote a record. What was written while nothing runs came from the last one, in the background
   * or a moment before its answer.
   * @param claimed as the loader tells; the function's own claim, so it is believed only of one that ran here
   */
  writerId(claimed: string | null): string | null {
    if (claimed !== null) return this.#began.has(claimed) ? claimed : null;
    const [running = this.#lastInvocationId, ...others] = this.#invocations;
    return others.length > 0 ? null : running;
  }

  begin(invocationId: string): void {
    this.#invocations.add(invocationId);
    this.#began.add(invocationId);
    if (this.#began.size > limits.rememberedInvocations) this.#began.delete(this.#began.keys().next().value!);
    this.#lastInvocationId = invocationId;
    this.#tellBackgroundEnd();
  }

  end(invocationId: string): void {
    if (this.#invocations.delete(invocationId)) this.#tellIdle();
  }

  /** Resolves when the loader tells that the handler of this invocation has ended. */
  handlerEnded(invocationId: string): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => this.#handlers.set(invocationId, resolve));
  }

  /** Resolves when no background work is pending or another invocation begins. */
  backgroundEnded(): Promise<void> {
    if (!this.#hasBackground || this.#invocations.size > 0) return Promise.resolve();
    return new Promise((resolve) => this.#onBackgroundEnd.push(resolve));
  }

  /**
   * What the loader tells. It is the function's own claim, since they share a realm; so background work begins only
   * with an invocation, which pays for it, and not later.
   */
  onNotice(mark: string, invocationId: string): void {
    if (mark === marks.handlerEnded) {
      this.#handlers.get(invocationId)?.();
      if (!this.#handlers.delete(invocationId)) return;
    } else if (mark === marks.backgroundBegan) {
      this.#hasBackground ||= this.#mayBeginBackground;
      return;
    } else {
      // Of work that never began there is no end: nothing that a function writes may make us look again and again.
      if (!this.#hasBackground) return;
      this.#hasBackground = false;
      this.#tellBackgroundEnd();
      if (!this.isAsked) this.onIdle();
      return;
    }
    this.#tellIdle();
  }

  /** The process is gone. */
  close(): void {
    this.#isOver = true;
    this.#hasBackground = false;
    for (const resolve of this.#handlers.values()) resolve();
    this.#handlers.clear();
    this.#tellBackgroundEnd();
  }

  #tellBackgroundEnd(): void {
    for (const resolve of this.#onBackgroundEnd.splice(0)) resolve();
  }

  /** What a function wrote before its answer may be read a moment after it: they come by different ways. */
  get #mayBeginBackground(): boolean {
    return !this.#isOver && (this.isAsked || performance.now() - this.#askedUntilMs <= limits.noticeMs);
  }

  #tellIdle(): void {
    if (this.isAsked) return;
    this.#askedUntilMs = performance.now();
    this.onIdle();
  }
}
