/** A path of the host that a jail sees, and where. */
export interface VisiblePath {
  readonly from: string;
  readonly to: string;
  /** Else it is read-only. */
  readonly writable?: boolean;
}

/** What the jailer is started with. */
export interface JailerSetup {
  /** An empty directory of the host; what is mounted there is seen by nobody else. */
  readonly root: string;
  /** Missing ones are left out. */
  readonly visible: readonly VisiblePath[];
  /** A directory of the host of which a jail sees what its order names, and nothing else. */
  readonly trees: string | null;
  /** Directories of the host of which nothing is seen, though they may lie within what is. */
  readonly hidden: readonly string[];
  /** Text files that every jail has. */
  readonly files: Readonly<Record<string, string>>;
}

export interface JailOrder {
  readonly jail: string;
  /** Owner of what the function may write; 0 in a user namespace, where there is no other. */
  readonly uid: number;
  /** Bounds of all files of the jail together, its code included. */
  readonly diskBytes: number;
  readonly fileCount: number;
  /** TCP ports that are listened on, on every address that there may be. */
  readonly ports: readonly number[];
  /** A UDP port of 127.0.0.1 on which datagrams are taken. */
  readonly datagramPort?: number;
  /** The name of a directory in {@link JailerSetup.trees}: it is the jail's code, read-only. */
  readonly tree?: string;
}

/** One line of the jailer's standard input. */
export type JailerRequest =
  { readonly make: JailOrder } | { readonly letGo: readonly number[] } | { readonly remove: string };

/** Descriptors of the jailer, by what nsenter(1) calls the namespaces. */
export type NamespaceDescriptors = Readonly<Record<'mount' | 'net' | 'ipc' | 'uts', number>>;

/** What the jailer tells over its channel; a message with a port brings the socket that is bound to it. */
export type JailerReply =
  | { readonly ready: true; readonly rootFd: number }
  | { readonly jail: string; readonly port: number }
  | { readonly jail: string; readonly datagramPort: number }
  | { readonly jail: string; readonly namespaces: NamespaceDescriptors }
  | { readonly jail: string; readonly error: string };
