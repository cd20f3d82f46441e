/**
 * Listens from the start, before it is known for which function: opening a server is most of what a small function
 * waits for. The first request tells which function it is, and is answered when that serves. Defines `attach`, by which
 * it does, and `begin`.
 *
 * What serves by `node:http` opens a server of its own, on the other socket.
 */
export const bootSource = String.raw`
let attached = null;
let onServing;
/** Resolves with which socket the function serves on. */
const serves = new Promise((resolve) => (onServing = resolve));

function attach({ handler, onListen, signal, hostname = '0.0.0.0', port = 8000 }) {
  if (attached) throw new Deno.errors.AddrInUse('The function serves already.');
  attached = handler;
  let onFinished;
  const finished = new Promise((resolve) => (onFinished = resolve));
  const shutdown = () => ownServer.shutdown().then(onFinished);
  signal?.addEventListener('abort', shutdown);
  const addr = { transport: 'tcp', hostname, port };
  queueMicrotask(() => onListen?.(addr));
  onServing('own');
  return { addr, finished, shutdown, ref() {}, unref() {}, [Symbol.asyncDispose]: shutdown };
}

async function boot(request) {
  const { codeUrl, env } = await request.json();
  Deno.env.delete('DENO_SERVE_ADDRESS');
  // Of a process that was started for any function, the environment is Deno's alone until now.
  if (env) {
    // It looks at where certificates are when they are first wanted.
    const needed = ['DENO_TLS_CA_STORE'];
    for (const name of Object.keys(Deno.env.toObject())) if (!needed.includes(name)) Deno.env.delete(name);
    for (const name of Object.keys(env)) Deno.env.set(name, env[name]);
  }
  // A function that throws ends the process, as it would if Deno had loaded it.
  begin(codeUrl).catch((reason) => queueMicrotask(() => { throw reason; }));
  return new Response(await serves);
}

const ownServer = Deno.serve(
  { onListen() {}, onError },
  (request, info) => (attached ? attached(request, info) : boot(request)),
);
Object.defineProperty(Deno, 'serve', { value: galleyServe, configurable: true, enumerable: true, writable: true });
`;
