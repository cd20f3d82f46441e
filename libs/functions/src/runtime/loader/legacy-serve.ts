/**
 * The way of serving before `Deno.serve`, which Deno 2 has not any more and very many functions still use by
 * `serve` of deno.land/std: a listener, its connections, `Deno.serveHttp` on each, and `respondWith` for each request.
 * Here one listener has one connection, on which all requests come.
 */
export const legacyServeSource = String.raw`
const listen = Deno.listen;
Deno.listen = (options) => {
  if (options?.transport === 'unix' || options?.transport === 'vsock') return listen(options);
  const events = [];
  let wake = () => {};
  const server = galleyServe(
    (request) =>
      new Promise((resolve) => {
        events.push({ request, respondWith: async (response) => resolve(response) });
        wake();
      }),
  );
  const addr = { transport: 'tcp', hostname: '0.0.0.0', port: options?.port ?? 8000 };
  const closed = () => new Deno.errors.BadResource('The listener is closed.');
  const connection = { localAddr: addr, remoteAddr: addr, rid: -1, events, close() {}, [Symbol.dispose]() {} };
  connection.nextEvent = async () => {
    while (events.length === 0) await new Promise((resolve) => (wake = resolve));
    return events.shift();
  };
  let accepted = false;
  let isClosed = false;
  let onClose = () => {};
  const listener = {
    addr,
    rid: -1,
    async accept() {
      if (accepted && !isClosed) await new Promise((resolve) => (onClose = resolve));
      if (isClosed) throw closed();
      accepted = true;
      return connection;
    },
    close() {
      isClosed = true;
      onClose();
      server.shutdown();
    },
    ref() {},
    unref() {},
    async *[Symbol.asyncIterator]() {
      yield await listener.accept();
      await new Promise((resolve) => (onClose = resolve));
    },
    [Symbol.dispose]() {
      listener.close();
    },
  };
  return listener;
};

const serveHttp = (connection) => ({
  rid: -1,
  nextRequest: () => connection.nextEvent(),
  close() {},
  async *[Symbol.asyncIterator]() {
    for (;;) yield await connection.nextEvent();
  },
});
Object.defineProperty(Deno, 'serveHttp', { value: serveHttp, configurable: true, enumerable: true, writable: true });
`;
