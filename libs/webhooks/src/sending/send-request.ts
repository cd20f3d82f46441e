import { AppError, DeclaredHosts, vettedAddresses } from '#libs/platform';
import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { limits } from '../limits.js';

/** A request to a URL that somebody chose. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  /** Names are in lower case; those that belong to the connection are left out. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer | null;
  readonly timeoutMs: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The first `limits.answerBytes` of its body, or what came of them in time. */
  readonly beginning: Buffer;
}

const ownHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Makes requests to public addresses, and to those of `GALLEY_PRIVATE_HOSTS`. Every address of the name is checked, and
 * one that was checked is dialled. Redirects are answers like any other: they are not followed.
 */
export class SendRequest {
  readonly #privateHosts: DeclaredHosts;

  constructor(
    privateHosts: readonly string[],
    private readonly addressesOf?: (name: string) => Promise<string[]>,
  ) {
    this.#privateHosts = new DeclaredHosts(privateHosts, null);
  }

  /**
   * @throws AppError `address_refused` (403), `no_address` (502); `timeout` (504) when no answer began in time,
   *   `not_reached` (502)
   */
  async send(request: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    const { url } = request;
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    const isTls = url.protocol === 'https:';
    const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(request.timeoutMs)]);
    try {
      const vetting = vettedAddresses(host, port, this.#privateHosts, this.addressesOf);
      const addresses = await Promise.race([vetting, aborted(deadline)]);
      return await exchange(request, { host, port, isTls, lookup: lookupOf(addresses) }, deadline);
    } catch (error) {
      throw problemOf(error, request.timeoutMs, deadline.aborted && !signal.aborted);
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** Finds what was found before, whatever the name leads to by now. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_name, { all }, callback) =>
    all ? callback(null, found) : callback(null, found[0]!.address, found[0]!.family);
}

function exchange(
  { method, url, headers, body }: OutgoingRequest,
  peer: { host: string; port: number; isTls: boolean; lookup: LookupFunction },
  signal: AbortSignal,
): Promise<Answer> {
  const { isTls, ...address } = peer;
  return new Promise((resolve, reject) => {
    const request = (isTls ? requestHttps : requestHttp)({
      ...address,
      method,
      path: url.pathname + url.search,
      ...(url.username !== '' && { auth: decodeURIComponent(`${url.username}:${url.password}`) }),
      headers: { 'user-agent': 'galley', ...sentHeaders(headers, body) },
      // A connection that is kept would be used again after its name leads elsewhere.
      agent: false,
      signal,
    });
    request.on('error', reject);
    // An answer 101 that nobody asked for is neither an error nor a response to Node.js, which ends the connection.
    request.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('It answered 101'));
    });
    const onClose = () => reject(new Error('The connection was closed before an answer'));
    request.once('close', onClose);
    request.once('response', (response) => {
      // It has answered: what goes wrong from here on takes nothing from that.
      void beginningOf(response).then((beginning) => {
        resolve({ status: response.statusCode!, headers: response.headers, beginning });
        request.destroy();
      });
      request.off('close', onClose).off('error', reject);
      request.on('error', () => {});
    });
    request.end(body ?? undefined);
  });
}

function sentHeaders(headers: OutgoingRequest['headers'], body: Buffer | null) {
  const sent = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !ownHeaders.has(name),
  ) as [string, string | string[]][];
  return Object.fromEntries([...sent, ...(body ? [['content-length', String(body.length)] as const] : [])]);
}

async function beginningOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, limits.answerBytes - sizeBytes));
      sizeBytes += chunk.length;
      if (sizeBytes >= limits.answerBytes) break;
    }
  } catch {
    // It broke off, or its time was over.
  }
  return Buffer.concat(chunks);
}

function problemOf(error: unknown, timeoutMs: number, isLate: boolean): unknown {
  if (error instanceof AppError) return error;
  if (isLate) {
    return new AppError({ code: 'timeout', status: 504, message: `No answer came within ${timeoutMs} ms` });
  }
  const { message, code } = error as NodeJS.ErrnoException;
  // Of several addresses that were tried, each has an error of its own.
  const why = message || code || 'the connection failed';
  return new AppError({ code: 'not_reached', status: 502, message: why, cause: error });
}
