/** Measures consecutive steps for a `Server-Timing` header (W3C Server Timing §3.1). Durations in milliseconds. */
export class ServerTiming {
  #last = performance.now();
  #header: string;

  /** @param jwtMs  what was spent before, to find out who asks */
  constructor(jwtMs: number) {
    this.#header = `jwt;dur=${jwtMs.toFixed(2)}`;
  }

  /** The step that ran since the last call, or since the start, was `name`. */
  end(name: string): void {
    const now = performance.now();
    this.#header += `, ${name};dur=${(now - this.#last).toFixed(2)}`;
    this.#last = now;
  }

  get header(): string {
    return this.#header;
  }
}
