import 'reflect-metadata';
import type * as X509 from '@peculiar/x509';
import { KeyObject, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { runtimeLimits as limits } from '../runtime-limits.js';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** As long as any process of ours may run: its key goes with the process. */
const lifetimeMs = 10 * 365 * 24 * 3600 * 1000;
/** Clocks differ a little. */
const leewayMs = 24 * 3600 * 1000;

interface Made {
  readonly x509: typeof X509;
  readonly keys: webcrypto.CryptoKeyPair;
  /** Of all hosts: what tells them apart is the certificate. */
  readonly hostKeys: webcrypto.CryptoKeyPair;
}

/**
 * Vouches to functions for the hosts whose connections end here. It is made anew by each process, its key is in memory
 * alone, and nobody trusts it but the processes that it is made for.
 */
export class CertificateAuthority {
  readonly #contexts = new Map<string, Promise<SecureContext>>();

  private constructor(
    /** Its own certificate, PEM. */
    readonly certificate: string,
    private readonly made: Made,
  ) {}

  static async create(): Promise<CertificateAuthority> {
    const x509 = await import('@peculiar/x509');
    const [keys, hostKeys] = await Promise.all([newKeys(), newKeys()]);
    const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=Galley egress',
      keys,
      signingAlgorithm: algorithm,
      ...validity(),
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      ],
    });
    return new CertificateAuthority(certificate.toString('pem'), { x509, keys, hostKeys });
  }

  /** With what a TLS server passes for `host`, a name or an address. */
  contextFor(host: string): Promise<SecureContext> {
    const known = this.#contexts.get(host);
    if (known) return known;
    // The oldest goes: it is made again when it is wanted.
    if (this.#contexts.size >= limits.egressCertificates)
      this.#contexts.delete(this.#contexts.keys().next().value!);
    const made = this.#contextFor(host);
    this.#contexts.set(host, made);
    return made;
  }

  async #contextFor(host: string): Promise<SecureContext> {
    const { x509, keys, hostKeys } = this.made;
    const certificate = await x509.X509CertificateGenerator.create({
      // The name itself may be longer than a common name can be.
      subject: 'CN=Galley egress to a declared host',
      issuer: 'CN=Galley egress',
      publicKey: hostKeys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      ...validity(),
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: isIP(host) > 0 ? 'ip' : 'dns', value: host }]),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      ],
    });
    const key = KeyObject.from(hostKeys.privateKey).export({ type: 'pkcs8', format: 'pem' });
    return createSecureContext({ key, cert: certificate.toString('pem'), minVersion: 'TLSv1.2' });
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function validity(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - leewayMs), notAfter: new Date(now + lifetimeMs) };
}
