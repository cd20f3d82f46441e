import { invocationHeader } from './protocol.js';

/**
 * `Deno.serve`, with what a function expects of a request, on the server that is there already. Defines `galleyServe`,
 * `serving`, `handling` and `onError`.
 */
export const serveSource = String.raw`
// Handlers under way, by invocation.
const handling = new Map();

// On a Unix socket Deno gives request.url the scheme http+unix, which new URL(...).origin and fetch cannot use.
function withHttpUrl(request) {
  const scheme = request.headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http';
  Object.defineProperty(request, 'url', {
    value: scheme + request.url.slice(request.url.indexOf(':')),
    configurable: true,
  });
  return request;
}

function clientAddress(request) {
  const hostname = request.headers.get('x-forwarded-for')?.split(',')[0].trim() || '127.0.0.1';
  return { transport: 'tcp', hostname, port: 0 };
}

// Deno's own would write a stack line by line; and a browser may not read an answer that names no origin.
function onError(reason) {
  console.error(reason);
  return new Response('Internal Server Error', {
    status: 500,
    headers: { 'access-control-allow-origin': '*' },
  });
}

let serving = false;
const galleyServe = (first, second) => {
  const handler = typeof first === 'function' ? first : (second ?? first?.handler);
  if (typeof handler !== 'function') throw new TypeError('Deno.serve needs a handler.');
  serving = true;
  const options = typeof first === 'function' ? second : first;
  const handle = (request, info) => {
    const id = request.headers.get('${invocationHeader}');
    const { completed } = info;
    const known = { completed, get remoteAddr() { return clientAddress(request); } };
    const answer = runAs(id, async () => {
      try {
        return await handler(withHttpUrl(request), known);
      } catch (reason) {
        // Here and not by Deno, so that what it writes is the invocation's.
        return await (options?.onError ?? onError)(reason);
      }
    });
    const forget = () => handling.delete(id);
    handling.set(id, answer.then(forget, forget));
    return answer;
  };
  return attach({ ...options, handler: handle });
};
`;
