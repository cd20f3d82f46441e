/**
 * What packages written for Node.js expect of it, of `node:http` and of `node:os`, and what the server wants to know of
 * `node:net`. Defines `prepareNodeModules`. Loading `node:http` takes longer than starting Deno, so only functions that
 * name a module pay for it, as they would anyway.
 *
 * Deno leads servers of `node:http` to a socket as well, but they know no address then, which frameworks ask for. And
 * many packages ask the system for its name or processors while they load, which the sandbox does not tell.
 */
export const nodeModulesSource = String.raw`
async function prepareNodeModules(codeUrl) {
  const file = new URL(codeUrl);
  // Packages in CommonJS have these, also when they are bundled into a module.
  globalThis.__filename = decodeURIComponent(file.pathname);
  globalThis.__dirname = __filename.slice(0, __filename.lastIndexOf('/'));
  const code = Deno.readTextFileSync(file);
  // As a bundler writes it: the mere word stands in much code that has no use for the module.
  const naming = /(?:\bfrom|\bimport|[Rr]equire)\s*\(?\s*["'](?:node:)?(http|https|http2|net|tls|os)["']/g;
  const named = new Set(Array.from(code.matchAll(naming), ([, module]) => module));
  if (named.has('http')) {
    Deno.env.set('DENO_SERVE_ADDRESS', 'unix:' + nodeSocket);
    prepareNodeHttp(await import('node:http'));
  }
  if (named.delete('os')) prepareNodeOs((await import('node:os')).default);
  // The others connect by it.
  if (named.size > 0) prepareNodeNet(await import('node:net'));
}

function prepareNodeNet({ Socket }) {
  const { destroy } = Socket.prototype;
  Socket.prototype.destroy = function (error, ...rest) {
    if (isRefused(error)) tellRefused(error.address, error.port);
    return destroy.call(this, error, ...rest);
  };
}

function prepareNodeHttp({ Server }) {
  const { listen, address } = Server.prototype;
  const ports = new WeakMap();
  Server.prototype.listen = function (...args) {
    serving = true;
    this.once('listening', () => onServing('node'));
    ports.set(this, Number(args[0]?.port ?? args[0]) || 80);
    return listen.apply(this, args);
  };
  Server.prototype.address = function () {
    const known = address.call(this);
    if (known || !this.listening) return known;
    return { address: '127.0.0.1', family: 'IPv4', port: ports.get(this) };
  };
}

function prepareNodeOs(os) {
  const memoryBytes = Number(Deno.env.get('GALLEY_MEMORY_MB')) * 2 ** 20;
  const told = {
    hostname: () => 'localhost',
    release: () => '',
    version: () => '',
    uptime: () => performance.now() / 1000,
    loadavg: () => [0, 0, 0],
    cpus: () => [{ model: '', speed: 0, times: { user: 0, nice: 0, sys: 0, idle: 0, irq: 0 } }],
    networkInterfaces: () => ({}),
    totalmem: () => memoryBytes,
    freemem: () => memoryBytes,
  };
  for (const [name, value] of Object.entries(told)) os[name] = value;
}
`;
