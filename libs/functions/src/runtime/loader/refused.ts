/**
 * Tells the server of connections to ports that nothing listens on. In a jail those are all that neither it nor another
 * declared host has: the kernel refuses them by itself, and nobody sees that but the function. Defines `tellRefused` and
 * `isRefused`; `node:net` is seen to where that is loaded, and `WebSocket` when it is wanted, which takes milliseconds.
 */
export const refusedSource = String.raw`
const isRefused = (error) => error?.code === 'ECONNREFUSED';

function tellRefused(host, port) {
  if (host && port) log('\x1e/' + host + ' ' + port + '\x1f');
}

function tellRefusedUrl(text) {
  const { hostname, port } = new URL(text);
  // The usual ports are listened on.
  tellRefused(hostname.replace(/^\[|\]$/g, ''), port);
}

for (const name of ['connect', 'connectTls']) {
  const connect = Deno[name];
  Deno[name] = async (options) => {
    try {
      return await connect(options);
    } catch (error) {
      if (isRefused(error)) tellRefused(options.hostname ?? '127.0.0.1', options.port);
      throw error;
    }
  };
}

const plainFetch = globalThis.fetch;
globalThis.fetch = async function fetch(...args) {
  try {
    return await plainFetch(...args);
  } catch (error) {
    // It names the URL that the last redirect led to.
    const [, url] = /for url \((\S+)\): .*Connection refused/.exec(error?.cause?.message) ?? [];
    if (url) tellRefusedUrl(url);
    throw error;
  }
};

const lazyWebSocket = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
const setWebSocket = (value) =>
  Object.defineProperty(globalThis, 'WebSocket', { value, configurable: true, enumerable: false, writable: true });
Object.defineProperty(globalThis, 'WebSocket', {
  configurable: true,
  enumerable: false,
  set: setWebSocket,
  get() {
    const construct = (...args) => {
      const socket = Reflect.construct(...args);
      socket.addEventListener('error', ({ message }) => {
        if (message.includes('tcp connect error')) tellRefusedUrl(socket.url);
      });
      return socket;
    };
    // Not a class of its own: the sockets that Deno makes are instances of this one.
    const plain = lazyWebSocket.get ? lazyWebSocket.get.call(globalThis) : lazyWebSocket.value;
    const telling = new Proxy(plain, { construct });
    plain.prototype.constructor = telling;
    setWebSocket(telling);
    return telling;
  },
});
`;
