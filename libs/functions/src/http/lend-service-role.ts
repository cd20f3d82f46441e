import { sameSecret, type Project } from '#libs/platform';

/** What a function is given in the place of a credential; undefined when it may have that one. */
type Lend = (credential: string) => string | undefined;

/**
 * Lends a token for one call in the place of the project's secret key and of the JWT that this stands for: those open
 * everything, for years.
 */
export function serviceRoleLender(project: Project, lifetimeMs: number): Lend {
  const { secretKey, serviceRoleKey } = project.keys;
  return (credential) => {
    // How long they are is no secret, and each comparison hashes both.
    const candidates = [secretKey, serviceRoleKey].filter((key) => key.length === credential.length);
    if (!candidates.some((key) => sameSecret(credential, key))) return undefined;
    return project.tokens.sign({ role: 'service_role', galley_key: true }, Math.ceil(lifetimeMs / 1000) + 1);
  };
}

/** In all headers that may carry a key, those of a WebSocket too. */
export function lendInHeaders(headers: Record<string, string | string[] | undefined>, lend: Lend): void {
  for (const name of ['authorization', 'apikey']) {
    const value = headers[name];
    if (typeof value !== 'string') continue;
    const [, scheme = '', credential] = /^(bearer +)?(.*)$/i.exec(value.trim())!;
    const token = lend(credential!);
    if (token !== undefined) headers[name] = scheme + token;
  }
  const protocols = headers['sec-websocket-protocol'];
  if (typeof protocols === 'string' && protocols.includes('jwt-'))
    headers['sec-websocket-protocol'] = protocols
      .split(',')
      .map((protocol) => lendInProtocol(protocol.trim(), lend))
      .join(', ');
}

function lendInProtocol(protocol: string, lend: Lend): string {
  const [, scheme, credential] = /^(jwt-)(.*)$/.exec(protocol) ?? [];
  const token = credential && lend(credential);
  return token ? scheme + token : protocol;
}

/** In the query of a path, where a key is the parameter `apikey`. */
export function lendInQuery(path: string, lend: Lend): string {
  const at = path.search(/[?#]/);
  if (at < 0) return path;
  const parameters = path.slice(at + 1).split('&');
  const lent = parameters.map((parameter) => {
    const [, name, value] = /^([^=]*)=(.*)$/.exec(parameter) ?? [];
    if (name === undefined || decoded(name) !== 'apikey') return parameter;
    const token = lend(decoded(value!));
    return token === undefined ? parameter : `${name}=${token}`;
  });
  return path.slice(0, at + 1) + lent.join('&');
}

/** As the query is read to find out who calls; what cannot be decoded is no key. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
