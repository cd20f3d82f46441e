import { defineConfig } from 'prisma/config';

// The URL is only read by `prisma migrate` and `prisma studio`; Galley itself connects with its own configuration
// and applies prisma/migrations at start (libs/platform/src/platform-database).
export default defineConfig({
  schema: 'prisma/schema',
  migrations: { path: 'prisma/migrations' },
});
