import { textNestsDeeper } from '#libs/platform';
import { limitError } from '../errors.js';
import { limits } from '../limits.js';
import type { HttpResponse } from '../response/http-response.js';
import { parseJson, type Json } from './json-text.js';

/** What the requests of a batch were answered, in their order. */
export class BatchResponses {
  readonly #written: string[] = [];
  readonly #bodies: string[] = [];
  readonly #parsed = new Map<number, Json>();
  #bytes = 0;

  /** @throws AppError PGRST100 when there is more than one response may hold */
  add(id: string | undefined, { status, headers, body }: HttpResponse): void {
    const bodyJson = jsonOf(headers['content-type'], body);
    this.#bytes += Buffer.byteLength(bodyJson);
    if (this.#bytes > limits.batchResponseBytes) {
      throw limitError('bytes in the bodies of its responses', limits.batchResponseBytes);
    }
    this.#bodies.push(bodyJson);
    const name = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
    this.#written.push(`{${name}"status":${status},"headers":${JSON.stringify(headers)},"body":${bodyJson}}`);
  }

  /**
   * The body of the response at `index`.
   * @throws AppError PGRST100 when it nests too deep
   */
  readonly bodyAt = (index: number): Json => {
    const known = this.#parsed.get(index);
    if (known !== undefined) return known;
    const text = this.#bodies[index]!;
    if (textNestsDeeper(text, limits.batchNesting))
      throw limitError('lists and objects in each other', limits.batchNesting);
    const body = parseJson(text);
    this.#parsed.set(index, body);
    return body;
  };

  toJson(): string {
    return `{"responses":[${this.#written.join(',')}]}`;
  }
}

/** A body as JSON: itself where it is, else its text, or its bytes in base64. */
function jsonOf(contentType: string | string[] | undefined, body: HttpResponse['body']): string {
  if (body === undefined) return 'null';
  if (Buffer.isBuffer(body)) return JSON.stringify(body.toString('base64'));
  const saysJson = /^application\/(?:[\w.-]+\+)?json\b/.test(String(contentType));
  return saysJson && isJson(body) ? body : JSON.stringify(body);
}

/** A function may set a type that its text has not. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
