// A bare Node proxy: what any front door in Node costs that hands a call on to another process, without asking who calls,
// counting, or bounding anything. The arguments are the port and the socket of the process behind.
import { createServer } from 'node:http';
import { Pool } from 'undici';

const [port, socketPath] = process.argv.slice(2);
const pool = new Pool('http://floor', { socketPath, connections: 32 });

const server = createServer((request, response) => {
  pool.stream({ path: request.url, method: request.method, headers: {} }, ({ statusCode, headers }) => {
    response.writeHead(statusCode, headers);
    return response;
  });
});
server.listen(Number(port), '127.0.0.1');
