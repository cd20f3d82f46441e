// Writes the `.env` that docker-compose.yml reads: every secret generated, readable by its owner only.
import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('../.env', import.meta.url));
const secret = () => randomBytes(32).toString('hex');
const jwtSecret = secret();

/** A legacy key: a token with a role, for ten years (JWS with HS256, RFC 7515). */
function legacyKey(role) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const issuedAt = Math.floor(Date.now() / 1000);
  const claims = { role, iss: 'supabase', iat: issuedAt, exp: issuedAt + 10 * 365 * 24 * 3600 };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', jwtSecret).update(signed).digest('base64url')}`;
}

const text = `# Made by scripts/compose-env.mjs. Keep a copy in a safe place: without GALLEY_MASTER_KEY the secrets in the
# database cannot be read any more.

# Where clients reach the server, and the address and port it is published on.
API_EXTERNAL_URL=http://localhost:54321
BIND_ADDRESS=127.0.0.1
PORT=54321
# The project folder that is served: supabase/ and galley.toml.
GALLEY_PROJECT=./examples/avatars
# Worker processes.
GALLEY_WORKERS=2

# What clients send: the publishable key is for apps, the secret key for servers alone. The two below are the same
# in the older form.
SUPABASE_PUBLISHABLE_KEY=sb_publishable_${randomBytes(24).toString('base64url')}
SUPABASE_SECRET_KEY=sb_secret_${randomBytes(24).toString('base64url')}
ANON_KEY=${legacyKey('anon')}
SERVICE_ROLE_KEY=${legacyKey('service_role')}

JWT_SECRET=${jwtSecret}
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
