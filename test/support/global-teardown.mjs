import { rm } from 'node:fs/promises';

export default async function globalTeardown() {
  await globalThis.stopTestPostgres?.();
  await rm(JSON.parse(process.env.GALLEY_TEST_ENVIRONMENT).dataDir, { recursive: true, force: true });
}
