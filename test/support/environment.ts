/** What global-setup.mjs tells the spec files. */
export interface TestEnvironment {
  readonly dataDir: string;
  /** The PostgreSQL of this run; its database `postgres` is the template of project databases. */
  readonly databaseUrl: string;
  readonly masterKey: string;
}

export const testEnvironment = JSON.parse(process.env['GALLEY_TEST_ENVIRONMENT']!) as TestEnvironment;

/** Redis to test against, where one is reachable: `GALLEY_TEST_REDIS_URL`. */
export const redisUrl = process.env['GALLEY_TEST_REDIS_URL'];

/** A PostgreSQL that has PostGIS, where one is reachable: `GALLEY_TEST_POSTGIS_URL`, of a superuser. */
export const postgisUrl = process.env['GALLEY_TEST_POSTGIS_URL'];

/** S3 or MinIO to test against, where one is reachable: `GALLEY_TEST_S3_…`. */
export const s3 =
  process.env['GALLEY_TEST_S3_ENDPOINT'] === undefined
    ? undefined
    : {
        endpoint: process.env['GALLEY_TEST_S3_ENDPOINT'],
        accessKeyId: process.env['GALLEY_TEST_S3_ACCESS_KEY_ID'] ?? '',
        secretAccessKey: process.env['GALLEY_TEST_S3_SECRET_ACCESS_KEY'] ?? '',
      };
