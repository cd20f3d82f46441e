/** Measures consecutive steps for a `Server-Timing` header (W3C Server Timing §3.1). Durations in milliseconds. */
export class ServerTiming {
  #last = performance.now();
  #header = '';

  /** The step that ran since the last call, or since the start, was `name`. */
  end(name: string): void {
    const now = performance.now();
    this.#header += `${this.#header && ', '}${name};dur=${(now - this.#last).toFixed(2)}`;
    this.#last = now;
  }

  get header(): string {
    return this.#header;
  }
}
