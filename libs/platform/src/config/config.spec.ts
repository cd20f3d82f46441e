import { describe, expect, it } from '@jest/globals';
import { OperatorError } from '../errors/app-error.js';
import { parseConfig } from './config.js';

describe('the configuration', () => {
  it('has a default for everything', () => {
    const config = parseConfig({});
    expect(config.port).toBe(54_321);
    expect(config.host).toBe('127.0.0.1');
    expect(config.apiUrl).toBe('http://127.0.0.1:54321');
    expect(config.postgres.url).toBeUndefined();
    expect(config.keys).toEqual({});
  });

  it('counts an empty value as not given', () => {
    expect(parseConfig({ PORT: '', REDIS_URL: '' }).port).toBe(54_321);
  });

  it('makes the database URL of the POSTGRES_ variables, quoting what needs it', () => {
    const { postgres } = parseConfig({
      POSTGRES_HOST: 'db',
      POSTGRES_PASSWORD: 'p@ss/w:rd',
      POSTGRES_DB: 'app',
    });
    expect(postgres.url).toBe('postgresql://postgres:p%40ss%2Fw%3Ard@db:5432/app');
  });

  it('lets functions on this machine reach a server that listens on every address', () => {
    expect(parseConfig({ HOST: '0.0.0.0', PORT: '8000' }).internalUrl).toBe('http://127.0.0.1:8000');
  });

  it('keeps the public address apart from the one functions use', () => {
    const config = parseConfig({
      API_EXTERNAL_URL: 'https://api.example.com/',
      GALLEY_INTERNAL_URL: 'http://server:1',
    });
    expect([config.apiUrl, config.internalUrl]).toEqual(['https://api.example.com', 'http://server:1']);
  });

  it.each([
    [{ PORT: 'many' }, 'PORT'],
    [{ PORT: '70000' }, 'PORT'],
    [{ JWT_SECRET: 'short' }, 'JWT_SECRET'],
    [{ JWT_JWKS: 'not JSON' }, 'JWT_JWKS: expected a JSON Web Key'],
    [{ JWT_JWKS: '{"keys":[{"kty":"none"}]}' }, 'JWT_JWKS: expected a JSON Web Key'],
    [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL'],
    [{ GALLEY_MASTER_KEY: 'abc' }, 'GALLEY_MASTER_KEY'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
    [{ S3_ENDPOINT: 'http://minio:9000' }, 'S3_ACCESS_KEY_ID'],
    [{ POSTGRES_HOST: 'db' }, 'POSTGRES_PASSWORD'],
    [{ SUPABASE_SECRET_KEY: 'secret' }, 'SUPABASE_SECRET_KEY'],
  ])('refuses %j in one line that names %s', (environment, name) => {
    const parse = () => parseConfig(environment);
    expect(parse).toThrow(OperatorError);
    expect(parse).toThrow(name);
    try {
      parse();
    } catch (error) {
      expect((error as Error).message).not.toContain('\n');
    }
  });

  it('names what it was given but does not use', () => {
    expect(parseConfig({ SMTP_HOST: 'mail' }).unused).toEqual(['SMTP_HOST']);
  });
});
