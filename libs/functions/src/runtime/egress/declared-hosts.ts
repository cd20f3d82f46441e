import { isIP } from 'node:net';

/** Ports of a host that is declared without one. */
export const defaultPorts = [443, 80] as const;

/** Of a host, as it may be asked for: a resolver would make something else of any other character. */
const namePattern = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

interface DeclaredHost {
  /** Lower case, without a final dot; of `*.host` the part after the star. */
  readonly name: string;
  readonly isWildcard: boolean;
  readonly ports: readonly number[];
}

export function isHostName(text: string): boolean {
  return namePattern.test(text);
}

/** The hosts that a function declared: `host`, `host:port`, `*.host` or `[v6]:port`. */
export class DeclaredHosts {
  readonly #hosts: readonly DeclaredHost[];

  constructor(declared: readonly string[]) {
    this.#hosts = declared.map(parseHost);
  }

  /** All ports that are declared for anything. */
  get ports(): number[] {
    return [...new Set(this.#hosts.flatMap((host) => host.ports))];
  }

  /** Hosts that are declared by number. */
  get addresses(): string[] {
    return [...new Set(this.#hosts.filter((host) => isIP(host.name) > 0).map((host) => host.name))];
  }

  permitsName(name: string): boolean {
    return this.#hosts.some((host) => matches(host, name));
  }

  permits(name: string, port: number): boolean {
    return this.#hosts.some((host) => matches(host, name) && host.ports.includes(port));
  }
}

function matches({ name, isWildcard }: DeclaredHost, asked: string): boolean {
  return isWildcard ? isHostName(asked) && asked.endsWith(`.${name}`) : asked === name;
}

function parseHost(text: string): DeclaredHost {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text.toLowerCase())!;
  const name = (bracketed ?? plain!).replace(/\.$/, '');
  const isWildcard = name.startsWith('*.');
  return {
    name: isWildcard ? name.slice(2) : name,
    isWildcard,
    ports: port === undefined ? defaultPorts : [Number(port)],
  };
}
