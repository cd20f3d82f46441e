import type { IncomingMessage } from 'node:http';
import { runtimeLimits as limits } from '../runtime-limits.js';
import { secretNamedIn, withSecrets, type EgressSecret } from './egress-secrets.js';
import { passedOn, valuesOf } from './relayed-headers.js';

/** Why a request is not passed on. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** What `Connection` may name (RFC 9110 §7.6.1): with a name of another header it would take that away on our way. */
const connectionOptions: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'upgrade',
  'te',
  'http2-settings',
  '',
]);

/** Undefined: it may go to the host. */
export function refusalOf(
  request: IncomingMessage,
  to: { readonly host: string; readonly port: number; readonly secrets: readonly EgressSecret[] },
): Refusal | undefined {
  const { method, url, rawHeaders } = request;
  const hosts = valuesOf(rawHeaders, 'host').map((host) => host.toLowerCase().replace(/^\[|\](?=:|$)/g, ''));
  if (hosts.length !== 1 || ![to.host, `${to.host}:${to.port}`].includes(hosts[0]!)) {
    const message = `This connection leads to ${to.host}:${to.port}, so the header Host must name it`;
    return { status: 421, code: 'misdirected_request', message };
  }
  if (!url!.startsWith('/') && url !== '*') {
    return { status: 400, code: 'invalid_target', message: 'The target must be a path, without the host' };
  }
  const codings = valuesOf(rawHeaders, 'transfer-encoding');
  if (codings.length > 1 || codings.some((coding) => coding.toLowerCase() !== 'chunked')) {
    return { status: 400, code: 'invalid_coding', message: 'The only transfer coding is chunked' };
  }
  const options = valuesOf(rawHeaders, 'connection').flatMap((value) => value.toLowerCase().split(/[\s,]+/));
  if (options.some((option) => !connectionOptions.has(option))) {
    const message = `The header Connection may name ${[...connectionOptions].join(', ').trim()} and nothing else`;
    return { status: 400, code: 'invalid_connection', message };
  }
  const isUpgrade = request.headers.upgrade !== undefined && options.includes('upgrade');
  if (isUpgrade && (codings.length > 0 || Number(request.headers['content-length'] ?? 0) !== 0)) {
    return { status: 400, code: 'invalid_upgrade', message: 'A request to upgrade has no body' };
  }
  // It would send the headers back (RFC 9110 §9.3.8).
  if (method === 'TRACE') {
    const message = 'TRACE is not passed on to a host at which secrets are used';
    return { status: 405, code: 'method_not_allowed', message };
  }
  const inUrl = secretNamedIn(url!, to.secrets);
  if (inUrl) {
    const message = `Secrets are put into headers alone, and the URL holds the placeholder of ${inUrl.name}`;
    return { status: 400, code: 'placeholder_in_url', message };
  }
  const bytes = requestHeaders(request, to.secrets).reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    0,
  );
  if (bytes <= limits.egressHeaderBytes) return undefined;
  const message = `With the secrets in them the headers are longer than ${limits.egressHeaderBytes} bytes`;
  return { status: 431, code: 'headers_too_large', message };
}

export function requestHeaders(
  { rawHeaders }: IncomingMessage,
  secrets: readonly EgressSecret[],
): [name: string, value: string][] {
  return passedOn(rawHeaders).map(([name, value]) => [name, withSecrets(value, secrets)]);
}
