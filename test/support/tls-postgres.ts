import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import pg from 'pg';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findBinaries } from '../../libs/platform/src/postgres/binaries.js';
import { initCluster } from '../../libs/platform/src/postgres/cluster.js';
import { commandOf, unprivileged } from '../../libs/platform/src/postgres/unprivileged-user.js';
import { testEnvironment } from './environment.js';
import { eventually } from './eventually.js';
import { freePort } from './server.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A PostgreSQL of one spec file's own, which refuses whoever comes without TLS. */
export interface TlsPostgres {
  /** With a certificate that nobody vouches for but itself. */
  readonly certificatePath: string;
  readonly keyPath: string;
  /** @param host  how the client names it; the certificate holds `localhost` and `127.0.0.1` */
  url(parameters: Record<string, string>, host?: string): string;
  stop(): Promise<void>;
}

/** @param options.asksForCertificate also of clients, the same one as its own */
export async function startTlsPostgres(options: { asksForCertificate: boolean }): Promise<TlsPostgres> {
  const directory = await mkdtemp(join(testEnvironment.dataDir, 'tls-'));
  const cluster = join(directory, 'cluster');
  await mkdir(cluster, { mode: 0o700 });
  const binaries = await findBinaries();
  const as = unprivileged([binaries.directory, testEnvironment.dataDir])!;
  const give = async (path: string) => (as.owner === undefined ? null : chown(path, as.owner, as.owner));
  await give(directory);
  await give(cluster);
  const password = randomBytes(12).toString('hex');
  await initCluster({ binaries, cluster, password, as, logPath: join(directory, 'initdb.log') });
  const own = { certificate: join(cluster, 'server.crt'), key: join(cluster, 'server.key') };
  const { certificate, key } = await selfSigned();
  const clientCertificate = options.asksForCertificate ? ' clientcert=verify-ca' : '';
  await write(own.certificate, certificate);
  await write(own.key, key);
  await write(
    join(cluster, 'pg_hba.conf'),
    `hostssl all all 127.0.0.1/32 scram-sha-256${clientCertificate}\n`,
  );

  async function write(path: string, text: string) {
    await writeFile(path, text, { mode: 0o600 });
    await give(path);
  }

  const port = await freePort();
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    ssl: 'on',
    ...(options.asksForCertificate && { ssl_ca_file: 'server.crt' }),
    wal_level: 'logical',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [command, args] = commandOf(as, binaries.postgres, ['-D', cluster, ...flags]);
  const child = spawn(command, args, {
    cwd: '/',
    stdio: 'ignore',
    ...(as.uid !== undefined && { uid: as.uid, gid: as.gid }),
  });
  const files = { cert: certificate, key, ca: certificate };
  await eventually(() => answers({ host: '127.0.0.1', port, user: 'postgres', password, ssl: files }), {
    within: 60_000,
    what: 'PostgreSQL answering over TLS',
  });
  return {
    certificatePath: own.certificate,
    keyPath: own.key,
    url: (parameters, host = 'localhost') =>
      `postgresql://postgres:${password}@${host}:${port}/postgres?${new URLSearchParams(parameters)}`,
    async stop() {
      child.kill('SIGINT');
      if (child.exitCode === null) await once(child, 'exit');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function answers(config: pg.ClientConfig): Promise<boolean> {
  const client = new pg.Client(config);
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

async function selfSigned(): Promise<{ certificate: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const dayMs = 24 * 3600 * 1000;
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=PostgreSQL of a test',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + dayMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certificate: made.toString('pem'), key };
}
