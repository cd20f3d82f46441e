import { callClaims, sameSecret, type Project } from '#libs/platform';
import type { DeliveryRequest } from '#libs/events';
import type { FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import type { Manifest } from '../manifest/manifest.js';

/** Headers that show who asks, or that said how to answer: they are not kept. */
const notKept: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'apikey',
  'cookie',
  'prefer',
  'content-length',
]);

type Headers = DeliveryRequest['headers'];

/** The headers of a call as far as they may be kept, names in lower case. */
export function keptHeaders(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !notKept.has(name)));
}

/** `path` without a key in its query. */
export function keptPath(path: string): string {
  const [before, query] = path.split(/\?(.*)/s) as [string, string | undefined];
  if (query === undefined) return path;
  const rest = query.split('&').filter((part) => !/^apikey(=|$)/i.test(decoded(part)));
  return rest.length === 0 ? before : `${before}?${rest.join('&')}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * Who a request is from, so that another one is known to be from the same: a person, a function, or all who hold the
 * same key. A token that is not ours is known by what it is.
 */
export function callerName({ galley, headers }: FastifyRequest): string {
  const { caller, credentialError } = galley;
  if (credentialError) return `stranger:${sha256(headers.authorization ?? '').toString('hex')}`;
  if (caller.kind === 'user') return `user:${caller.role}:${caller.userId}`;
  return `${caller.kind}:${caller.role}`;
}

/** Whether a caller proves nothing that not anybody could. */
export function mayBeAnybody({ galley }: FastifyRequest): boolean {
  const { caller, credentialError } = galley;
  return caller.kind === 'anon' || caller.kind === 'keyless' || credentialError !== undefined;
}

/** Headers that a repetition may have otherwise: proxies, tracing and clients that count their tries write them. */
const ofTheWay =
  /^(connection|forwarded|via|date|traceparent|tracestate|baggage|x-request-id|x-real-ip|x-forwarded-.*|cf-.*|.*retry.*)$/;

/**
 * The headers in which two requests must be alike to be the same. Those of people need not be, as their keys are their
 * own. Anonymous callers share theirs: somebody else with the same key may be answered in another's place only if the
 * function could not have told them apart either. Their address says nothing: it changes, and many share one.
 */
export function fingerprintHeaders(headers: Headers, isAnonymous: boolean): [string, string][] {
  if (!isAnonymous) return [['content-type', String(headers['content-type'] ?? '')]];
  return Object.entries(keptHeaders(headers))
    .filter(([name]) => name !== 'idempotency-key' && !ofTheWay.test(name))
    .map(([name, value]): [string, string] => [name, String(value)])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** What two requests have in common that are the same. */
export function fingerprintOf(
  method: string,
  path: string,
  headers: readonly [string, string][],
  body: Buffer | null,
): Buffer {
  const head = JSON.stringify([method, path, headers]);
  return sha256(Buffer.concat([Buffer.from(`${head}\0`), body ?? Buffer.alloc(0)]));
}

function sha256(data: string | Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}

/**
 * A call's headers as the function gets them. `Authorization` was not kept: whoever called is shown by a token for this
 * try, which the platform signs anew from the claims that it verified then. What a database trigger names as
 * `Authorization` or `apikey` is passed on, opaque keys as the tokens that they stand for; secret keys are kept from
 * functions that do not declare `service_role`.
 */
export function shownHeaders(
  project: Project,
  { permissions }: Manifest,
  { headers, claims }: DeliveryRequest,
  lifetimeSeconds: number,
): Headers {
  const { serviceRoleKey, anonKey, secretKey, publishableKey } = project.keys;
  const service = () =>
    permissions.service_role
      ? serviceRoleKey
      : project.tokens.sign({ role: 'service_role', galley_key: true }, lifetimeSeconds);
  const shown: Record<string, string | string[] | undefined> = { ...headers };
  if (claims !== null) {
    const { iat: _iat, exp: _exp, nbf: _nbf, ...told } = JSON.parse(claims) as Record<string, unknown>;
    const leftSeconds = Math.floor((callClaims(told)?.not_after ?? 0) - Date.now() / 1000);
    const lent = Math.min(lifetimeSeconds, leftSeconds);
    const isService = told['role'] === 'service_role';
    const token =
      isService && permissions.service_role
        ? serviceRoleKey
        : isService
          ? project.tokens.sign(told, lent)
          : project.tokens.signForPerson(told, lent);
    shown['authorization'] = `Bearer ${token}`;
    return shown;
  }
  const { authorization, apikey } = headers;
  if (typeof authorization === 'string') {
    const [, scheme = '', credential = ''] = /^(bearer +)?(.*)$/i.exec(authorization.trim())!;
    if ([secretKey, serviceRoleKey].some((key) => sameSecret(credential, key)))
      shown['authorization'] = scheme + service();
    else if (sameSecret(credential, publishableKey)) shown['authorization'] = scheme + anonKey;
  }
  if (typeof apikey === 'string' && [secretKey, serviceRoleKey].some((key) => sameSecret(apikey, key)))
    shown['apikey'] = service();
  return shown;
}
