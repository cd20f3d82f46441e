import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls';
import { runtimeLimits as limits } from '../runtime-limits.js';

/** TLS to hosts that prove who they are. */
export class VerifiedTls {
  #context: SecureContext | null = null;

  /** @param extraRoots authorities that are trusted beside those that Node.js trusts, PEM; may be empty */
  constructor(private readonly extraAuthorities: string) {}

  /**
   * @param peer a connection to `host`
   * @throws Error when the certificate is not that host's, or nobody vouches for it; nothing has been sent then
   */
  over(peer: Socket, host: string): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const secure = connect({
        socket: peer,
        host,
        ...(isIP(host) === 0 && { servername: host }),
        secureContext: this.#trusting(),
        rejectUnauthorized: true,
        ALPNProtocols: ['http/1.1'],
      });
      secure.setTimeout(limits.egressConnectMs, () => secure.destroy());
      secure.once('secureConnect', () => {
        secure.setTimeout(0);
        resolve(secure);
      });
      secure.on('error', reject);
      secure.once('close', () => reject(new Error('It ended the connection.')));
    });
  }

  /** Made once: to read all roots takes a while. */
  #trusting(): SecureContext {
    const ca = this.extraAuthorities === '' ? undefined : [...rootCertificates, this.extraAuthorities];
    return (this.#context ??= createSecureContext({ ...(ca && { ca }), minVersion: 'TLSv1.2' }));
  }
}
