// Writes the `.env` that docker-compose.yml reads: every secret generated, readable by its owner only.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('../.env', import.meta.url));
const secret = () => randomBytes(32).toString('hex');

const text = `# Made by scripts/compose-env.mjs. Keep a copy in a safe place: without GALLEY_MASTER_KEY the secrets in the
# database cannot be read any more.

# Where clients reach the server, and the address and port it is published on.
API_EXTERNAL_URL=http://localhost:54321
BIND_ADDRESS=127.0.0.1
PORT=54321
# The web app that auth mails and redirects lead to.
SITE_URL=http://localhost:3000
# The project folder that is served: supabase/ and galley.toml.
GALLEY_PROJECT=./examples/avatars
# Worker processes.
GALLEY_WORKERS=2

JWT_SECRET=${secret()}
GALLEY_MASTER_KEY=${randomBytes(32).toString('base64')}
POSTGRES_PASSWORD=${secret()}
REDIS_PASSWORD=${secret()}
S3_ACCESS_KEY_ID=${randomBytes(10).toString('hex')}
S3_SECRET_ACCESS_KEY=${secret()}
`;

try {
  writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  console.log(`Wrote ${path}. Next: docker compose up --build --detach`);
} catch (error) {
  if (error.code !== 'EEXIST') throw error;
  console.error(`${path} exists already and was left as it is. Remove it first to make new secrets.`);
  process.exitCode = 1;
}
