/**
 * Servers of `node:http`: Deno leads them to a socket as well, but they know no address then, which frameworks ask
 * for. Defines `prepareNodeHttp`. Loading `node:http` takes longer than starting Deno, so only functions that name it
 * pay for it, as they would anyway.
 */
export const nodeHttpSource = String.raw`
async function prepareNodeHttp(codeUrl) {
  if (!Deno.readTextFileSync(new URL(codeUrl)).includes('node:http')) return;
  Deno.env.set('DENO_SERVE_ADDRESS', 'unix:' + nodeSocket);
  const { Server } = await import('node:http');
  const { listen, address } = Server.prototype;
  const ports = new WeakMap();
  Server.prototype.listen = function (...args) {
    serving = true;
    ports.set(this, Number(args[0]?.port ?? args[0]) || 80);
    this.once('listening', () => onServing('node'));
    return listen.apply(this, args);
  };
  Server.prototype.address = function () {
    const known = address.call(this);
    if (known || !this.listening) return known;
    return { address: '127.0.0.1', family: 'IPv4', port: ports.get(this) };
  };
}
`;
