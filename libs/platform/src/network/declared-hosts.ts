import { isIP } from 'node:net';

/** Ports of a host that is declared without one. */
export const defaultPorts = [443, 80] as const;

/** Of a host, as it may be asked for: a resolver would make something else of any other character. */
const namePattern = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

interface DeclaredHost {
  /** Lower case, without a final dot; of `*.host` the part after the star. */
  readonly name: string;
  readonly isWildcard: boolean;
  /** Null: any. */
  readonly ports: readonly number[] | null;
}

export function isHostName(text: string): boolean {
  return namePattern.test(text);
}

/** Hosts as a function declares them: `host`, `host:port`, `*.host` or `[v6]:port`. */
export class DeclaredHosts {
  readonly #hosts: readonly DeclaredHost[];

  /** @param portsOtherwise what is meant where no port is named; null: any */
  constructor(declared: readonly string[], portsOtherwise: readonly number[] | null = defaultPorts) {
    this.#hosts = declared.map((text) => parseHost(text, portsOtherwise));
  }

  /** All ports that are declared for anything. */
  get ports(): number[] {
    return [...new Set(this.#hosts.flatMap((host) => host.ports ?? []))];
  }

  /** Hosts that are declared by number. */
  get addresses(): string[] {
    return [...new Set(this.#hosts.filter((host) => isIP(host.name) > 0).map((host) => host.name))];
  }

  permitsName(name: string): boolean {
    return this.#hosts.some((host) => matches(host, name));
  }

  permits(name: string, port: number): boolean {
    return this.#hosts.some((host) => matches(host, name) && (host.ports?.includes(port) ?? true));
  }
}

function matches({ name, isWildcard }: DeclaredHost, asked: string): boolean {
  return isWildcard ? isHostName(asked) && asked.endsWith(`.${name}`) : asked === name;
}

function parseHost(text: string, portsOtherwise: readonly number[] | null): DeclaredHost {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text.toLowerCase())!;
  const name = (bracketed ?? plain!).replace(/\.$/, '');
  const isWildcard = name.startsWith('*.');
  return {
    name: isWildcard ? name.slice(2) : name,
    isWildcard,
    ports: port === undefined ? portsOtherwise : [Number(port)],
  };
}
