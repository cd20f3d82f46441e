// PostGraphile: GraphQL over the same tables, its requests' roles and claims set as its manual says.
import { createServer } from 'node:http';
import jwt from 'jsonwebtoken';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';

const [connectionJson, jwtSecret] = process.argv.slice(2);
const { host, port, user, password, database } = JSON.parse(connectionJson);
const connectionString = `postgres://${user}:${password}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString, schemas: ['public'], poolConfig: { max: 10 } })],
  grafserv: { graphiql: false, watch: false },
  grafast: {
    context(requestContext) {
      const { authorization } = requestContext.node.req.headers;
      const claims = jwt.verify(authorization.slice('Bearer '.length), jwtSecret, { algorithms: ['HS256'] });
      return { pgSettings: { role: claims.role, 'request.jwt.claims': JSON.stringify(claims) } };
    },
  },
};
const server = createServer();
const instance = postgraphile(preset).createServ(grafserv);
await instance.addTo(server);
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
