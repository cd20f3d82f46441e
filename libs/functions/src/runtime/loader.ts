/**
 * Marks in what an instance writes, put there by the loader so that one `console` call is one log record. Between
 * `start` and `end` stands a level and the message, or one of the notices; an invocation's id follows `handlerEnded`.
 * The message follows `idEnd`; before that stands the id of the invocation that wrote it, where one did.
 */
export const marks = {
  start: '\x1e',
  end: '\x1f',
  idEnd: '\x1d',
  backgroundBegan: '+',
  backgroundEnded: '-',
  handlerEnded: '.',
} as const;

/** The request header by which the loader knows invocations apart. */
export const invocationHeader = 'x-galley-invocation-id';

/**
 * The program that every instance starts with. It is JavaScript in a string because it runs in Deno, inside the
 * sandbox, and must be found in a build as well.
 *
 * It imports the function by a URL that is not a literal: Deno reads the static module graph of its entry point,
 * literal `import()` included, without asking any permission, so the function must not be part of that graph.
 * Nothing here protects the host, since the function shares the realm and may replace all of it; it only gives the
 * three handler shapes, `EdgeRuntime.waitUntil` and tidy logs.
 *
 * Standard input carries ids of invocations, one a line, of which the server asks when their handlers have ended.
 *
 * Arguments: URL of the module, path of the socket.
 */
export const loaderSource = String.raw`
const [codeUrl, socketPath] = Deno.args;
Object.defineProperty(Deno, 'args', { value: [] });
const exit = Deno.exit;

const { log, error } = console;

// Handlers under way, by invocation.
const handling = new Map();

async function tellEnd(id) {
  // Its request may still be in the socket, or have come to nothing.
  if (!handling.has(id)) await new Promise((resolve) => setTimeout(resolve, 100));
  await handling.get(id);
  log('\x1e.' + id + '\x1f');
}

// Standard input ends when the server's process ends, however that came about.
(async () => {
  const chunk = new Uint8Array(4096);
  const decoder = new TextDecoder();
  let text = '';
  for (let length; (length = await Deno.stdin.read(chunk)) !== null; ) {
    const lines = (text + decoder.decode(chunk.subarray(0, length))).split('\n');
    text = lines.pop();
    lines.forEach(tellEnd);
  }
  exit(0);
})();

// Which invocation code runs for, also after its awaits and in its timers: AsyncLocalStorage without the 4 ms that
// loading node:async_hooks takes.
const { AsyncVariable, setAsyncContext } = Deno[Deno.internal]?.core ?? {};
const invocation = AsyncVariable && setAsyncContext && new AsyncVariable();

function runAs(id, work) {
  if (!invocation) return work();
  const outer = invocation.enter(id);
  try {
    return work();
  } finally {
    setAsyncContext(outer);
  }
}

function writer() {
  return (invocation?.get() ?? '') + '\x1d';
}

const inspectArguments = Deno[Deno.internal]?.inspectArgs;
if (inspectArguments) {
  const record = (write, level) => (...args) =>
    write('\x1e' + level + writer() + inspectArguments(args, { colors: false }).replaceAll('\x1f', '') + '\x1f');
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

// Deno's own would write a stack line by line.
function onError(reason) {
  console.error(reason);
  return new Response('Internal Server Error', { status: 500 });
}

let serving = false;
const serve = Deno.serve;
const galleyServe = (first, second) => {
  const handler = typeof first === 'function' ? first : (second ?? first?.handler);
  if (typeof handler !== 'function') return serve(first, second);
  serving = true;
  const options = typeof first === 'function' ? second : first;
  const handle = (request, info) => {
    const id = request.headers.get('${invocationHeader}');
    const answer = runAs(id, async () => {
      try {
        return await handler(withHttpUrl(request), info);
      } catch (reason) {
        // Here and not by Deno, so that what it writes is the invocation's.
        return await (options?.onError ?? onError)(reason);
      }
    });
    const forget = () => handling.delete(id);
    handling.set(id, answer.then(forget, forget));
    return answer;
  };
  return serve({ onListen() {}, onError, ...options, handler: handle });
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
