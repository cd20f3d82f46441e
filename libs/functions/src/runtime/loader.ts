/** Marks in what an instance writes, put there by the loader so that one `console` call is one log record. */
export const marks = { start: '\x1e', end: '\x1f', backgroundBegan: '+', backgroundEnded: '-' } as const;

/**
 * The program that every instance starts with. It is JavaScript in a string because it runs in Deno, inside the
 * sandbox, and must be found in a build as well.
 *
 * It imports the function by a URL that is not a literal: Deno reads the static module graph of its entry point,
 * literal `import()` included, without asking any permission, so the function must not be part of that graph.
 * Nothing here protects the host, since the function shares the realm and may replace all of it; it only gives the
 * three handler shapes, `EdgeRuntime.waitUntil` and tidy logs.
 *
 * Arguments: URL of the module, path of the socket.
 */
export const loaderSource = String.raw`
const [codeUrl, socketPath] = Deno.args;
Object.defineProperty(Deno, 'args', { value: [] });
const exit = Deno.exit;

// Standard input ends when the server's process ends, however that came about.
(async () => {
  const sink = new Uint8Array(1);
  while ((await Deno.stdin.read(sink)) !== null);
  exit(0);
})();

const { log, error } = console;
const inspectArguments = Deno[Deno.internal]?.inspectArgs;
if (inspectArguments) {
  const record = (write, level) => (...args) =>
    write('\x1e' + level + inspectArguments(args, { colors: false }).replaceAll('\x1f', '') + '\x1f');
  console.debug = record(log, 'D');
  console.log = console.info = record(log, 'I');
  console.warn = record(error, 'W');
  console.error = record(error, 'E');
}

// Each would reserve 512 MiB of address space that counts against the process's limit, and end it.
globalThis.Worker = class Worker {
  constructor() {
    throw new Error('Web Workers are not available in functions.');
  }
};

let background = 0;
globalThis.EdgeRuntime = {
  waitUntil(promise) {
    if (background++ === 0) log('\x1e+\x1f');
    Promise.resolve(promise)
      .catch((reason) => console.error(reason))
      .finally(() => {
        if (--background === 0) log('\x1e-\x1f');
      });
    return promise;
  },
};

// On a Unix socket Deno gives request.url the scheme http+unix, which new URL(...).origin and fetch cannot use.
function withHttpUrl(request) {
  const scheme = request.headers.get('x-forwarded-proto') === 'https' ? 'https' : 'http';
  Object.defineProperty(request, 'url', {
    value: scheme + request.url.slice(request.url.indexOf(':')),
    configurable: true,
  });
  return request;
}

let serving = false;
const serve = Deno.serve;
const galleyServe = (first, second) => {
  const handler = typeof first === 'function' ? first : (second ?? first?.handler);
  if (typeof handler !== 'function') return serve(first, second);
  serving = true;
  const options = typeof first === 'function' ? second : first;
  return serve({ onListen() {}, ...options, handler: (request, info) => handler(withHttpUrl(request), info) });
};
Object.defineProperty(Deno, 'serve', { value: galleyServe, configurable: true, enumerable: true, writable: true });

const exported = (await import(codeUrl)).default;
if (!serving) {
  if (typeof exported === 'function') galleyServe(exported);
  else if (typeof exported?.fetch === 'function') galleyServe((request, info) => exported.fetch(request, info));
  else {
    // node:http servers listen a little after the module is done, and past this wrapper.
    setTimeout(() => {
      if (serving) return;
      try {
        Deno.lstatSync(socketPath);
      } catch {
        console.error('The function neither called Deno.serve nor exported a default handler.');
        exit(1);
      }
    }, 1000);
  }
}
`;
