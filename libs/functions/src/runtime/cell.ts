import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server } from 'node:net';
import type { DeploymentDirectory } from './deployment-directory.js';

/** Where a process finds its files. */
interface CellPaths {
  readonly loader: string;
  /** Certificates of authorities that it trusts beside its own and the host's, PEM. */
  readonly authorities: string;
  /** The function's code: nothing else of the host can be read. */
  readonly codeDirectory: string;
  /** Of the server that the loader opens, and of the one that a function opens by itself through `node:http`. */
  readonly socket: string;
  readonly nodeSocket: string;
  /** Deno's own directory: it holds compiled code. */
  readonly denoDirectory: string;
  /** What the function may write to; null when there is no such place. */
  readonly temporary: string | null;
}

/** A place for one process, from before it starts until after it has ended. */
export interface Cell {
  readonly name: string;
  readonly uid: number | null;
  /** As the process sees them. */
  readonly paths: CellPaths;
  /** Arguments of nsenter, where the cell is a jail. Then its walls keep a function to its rights, else Deno alone. */
  readonly enter: readonly string[] | undefined;
  /** Where connections to the world arrive, where the cell is a jail. */
  readonly doors: readonly Server[];
  /** Where a jail's questions for names arrive. */
  readonly datagrams: DatagramSocket | null;
  /** Tells that process `pid` has been started for it. */
  onStarted(pid: number): void;
  /** Tells that the process is in it, and listens. */
  onReady(): void;
  /** One of {@link paths}, as the server sees it. */
  outside(path: string): string;
  /** Puts a function's code where the process will look for it. */
  bringIn(deployment: DeploymentDirectory): Promise<void>;
  /** To be called when the process has ended. */
  remove(): Promise<void>;
}
