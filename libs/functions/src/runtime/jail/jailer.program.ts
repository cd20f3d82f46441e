/**
 * A program for Deno that the server starts beside itself: it makes the _jails_ that functions run in. A jail is a
 * mount namespace in which nothing of the host is seen but its libraries, and a network namespace in which there is
 * nothing but a loopback device with listening sockets that belong to the server.
 *
 * It is a process of its own because Node cannot call the kernel, and because a thread that changes its namespaces must
 * not be one that serves. It is trusted: no function can reach it.
 *
 * Argument: {@link JailerSetup} in JSON. Standard input: a {@link JailerRequest} a line; it ends when that does.
 * Descriptor 3 is a channel of Node's `child_process` (`stdio: 'ipc'`), because Node can be handed a socket by that
 * alone: a line `{"cmd":"NODE_HANDLE","type":"net.Native","msg":…}` with a descriptor beside it; for one of UDP the type
 * is `dgram.Socket`, with `"dgramType":"udp4"`.
 */
import type { JailerReply, JailerRequest, JailerSetup, JailOrder, VisiblePath } from './jailer-messages.js';
import type * as Kernel from './kernel.js';

interface DenoForJailer {
  readonly args: readonly string[];
  readonly stdin: { readonly readable: AsyncIterable<Uint8Array> };
  mkdirSync(path: string, options?: { recursive?: boolean; mode?: number }): void;
  writeTextFileSync(path: string, text: string): void;
  readLinkSync(path: string): string;
  lstatSync(path: string): { isSymlink: boolean; isDirectory: boolean };
}

const { Deno } = globalThis as unknown as { Deno: DenoForJailer };
// A build compiles `.ts` to `.js` and leaves the names of imports alone; Deno wants the file that is there.
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const kernel = (await import(`./kernel${extension}`)) as typeof Kernel;
const { mountFlags, namespaces } = kernel;

const channel = 3;
/** Seen by this program alone. */
const treesPath = '/trees';
const threadNamespaces = kernel.openThreadNamespaces();
const hostNetwork = kernel.openNamespace(threadNamespaces, 'net');
makeRoot(JSON.parse(Deno.args[0]!) as JailerSetup);
const outside = kernel.openNamespace(threadNamespaces, 'mnt');
// Through `/proc/<pid>/root` it would be seen as this thread sees it just now, in a jail maybe.
tell({ ready: true, rootFd: kernel.openDirectory('/') });
await obey();

/** The root directory of all jails, at `setup.root`; then nothing else of the host is left to see. */
function makeRoot({ root, visible, trees, hidden, files }: JailerSetup): void {
  kernel.unshare(namespaces.mount);
  kernel.mount({ from: 'none', to: '/', flags: mountFlags.recursive | mountFlags.isPrivate });
  const flags = mountFlags.noSetUid | mountFlags.noDevices;
  kernel.mount({ from: 'tmpfs', to: root, type: 'tmpfs', flags, data: 'size=1m,mode=755' });
  for (const path of visible) show({ ...path, to: root + path.to });
  if (trees !== null) show({ from: trees, to: root + treesPath });
  for (const path of hidden) hide(root + path);
  for (const [path, text] of Object.entries(files)) {
    makeParent(root + path);
    Deno.writeTextFileSync(root + path, text);
  }
  for (const directory of ['/i', '/jails', '/tmp', '/old', '/proc/self']) {
    Deno.mkdirSync(root + directory, { recursive: true });
  }
  // All that Deno wants of /proc is its own path.
  kernel.makeSymlink('/galley/deno', `${root}/proc/self/exe`);
  kernel.mount({ from: 'tmpfs', to: `${root}/jails`, type: 'tmpfs', flags, data: 'size=1m,mode=711' });
  kernel.pivotRoot(root, '/old');
  kernel.mount({
    from: null,
    to: '/',
    flags: mountFlags.remount | mountFlags.bind | mountFlags.readOnly | flags,
  });
}

function show({ from, to, writable = false }: VisiblePath): void {
  let found;
  try {
    found = Deno.lstatSync(from);
  } catch {
    return;
  }
  makeParent(to);
  // `/lib` and others are links into `/usr` where those are merged.
  if (found.isSymlink) return kernel.makeSymlink(Deno.readLinkSync(from), to);
  if (found.isDirectory) Deno.mkdirSync(to);
  else Deno.writeTextFileSync(to, '');
  if (to.includes('/dev/')) kernel.mount({ from, to, flags: mountFlags.bind });
  else kernel.bind(from, to, writable ? mountFlags.noDevices : mountFlags.readOnly);
}

function hide(path: string): void {
  try {
    if (!Deno.lstatSync(path).isDirectory) return;
  } catch {
    return;
  }
  kernel.mount({
    from: 'tmpfs',
    to: path,
    type: 'tmpfs',
    flags: mountFlags.readOnly,
    data: 'size=4k,mode=0',
  });
}

function makeParent(path: string): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
}

async function obey(): Promise<void> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of Deno.stdin.readable) {
    const lines = (text + decoder.decode(chunk, { stream: true })).split('\n');
    text = lines.pop()!;
    // Node acknowledges every socket; nothing waits for that here.
    kernel.drain(channel);
    for (const line of lines) fulfil(JSON.parse(line) as JailerRequest);
  }
}

function fulfil(request: JailerRequest): void {
  if ('make' in request) makeJail(request.make);
  else if ('letGo' in request) request.letGo.forEach(kernel.close);
  else removeJail(request.remove);
}

function makeJail(order: JailOrder): void {
  const { jail } = order;
  try {
    makeFiles(order);
    kernel.unshare(namespaces.mount | namespaces.network | namespaces.ipc | namespaces.uts);
    try {
      furnish(order);
      const open = (name: 'mnt' | 'net' | 'ipc' | 'uts') => kernel.openNamespace(threadNamespaces, name);
      tell({
        jail,
        namespaces: { mount: open('mnt'), net: open('net'), ipc: open('ipc'), uts: open('uts') },
      });
    } finally {
      kernel.setNamespace(outside, namespaces.mount);
      kernel.setNamespace(hostNetwork, namespaces.network);
    }
  } catch (error) {
    tell({ jail, error: String(error) });
    removeJail(jail);
  }
}

/** A file system in memory for the jail alone. The server reaches it through our descriptor of the root. */
function makeFiles({ jail, uid, diskBytes, fileCount }: JailOrder): void {
  const root = `/jails/${jail}`;
  kernel.makeDirectory(root, 0o711);
  const flags = mountFlags.noSetUid | mountFlags.noDevices | mountFlags.noExecute;
  const data = `size=${diskBytes},nr_inodes=${fileCount},mode=711`;
  kernel.mount({ from: 'tmpfs', to: root, type: 'tmpfs', flags, data });
  kernel.makeDirectory(`${root}/code`, 0o755);
  kernel.makeDirectory(`${root}/run`, 0o700, uid);
  kernel.makeDirectory(`${root}/tmp`, 0o700, uid);
}

/** In the new namespaces: shows the jail its own files and nobody else's, and opens its doors to the server. */
function furnish({ jail, ports, datagramPort, tree }: JailOrder): void {
  kernel.mount({ from: `/jails/${jail}`, to: '/i', flags: mountFlags.bind });
  kernel.mount({ from: '/i/tmp', to: '/tmp', flags: mountFlags.bind });
  if (tree !== undefined) {
    kernel.bind(`${treesPath}/${tree}`, '/i/code', mountFlags.readOnly);
    kernel.unmount(treesPath);
  }
  // Of the others' as well: they would stay in memory for as long as this jail is there.
  kernel.unmount('/jails');
  kernel.raiseLoopback();
  // So that a connection to an address that nobody declared arrives at a door, too, which tells of it.
  kernel.takeEveryAddress();
  for (const port of ports) {
    const socket = kernel.listen(port);
    tell({ jail, port }, { socket, type: 'net.Native' });
    kernel.close(socket);
  }
  if (datagramPort === undefined) return;
  const socket = kernel.receiveDatagrams(datagramPort);
  tell({ jail, datagramPort }, { socket, type: 'dgram.Socket', dgramType: 'udp4' });
  kernel.close(socket);
}

function removeJail(jail: string): void {
  try {
    kernel.unmount(`/jails/${jail}`);
    kernel.removeDirectory(`/jails/${jail}`);
  } catch {
    // It was not complete.
  }
}

/** @param handle how Node.js is to take the socket */
function tell(
  reply: JailerReply,
  handle?: { readonly socket: number; readonly type: string; readonly dgramType?: string },
): void {
  if (!handle) return kernel.send(channel, encoded(reply));
  const { socket, ...kind } = handle;
  kernel.send(channel, encoded({ cmd: 'NODE_HANDLE', ...kind, msg: reply }), socket);
}

function encoded(message: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${JSON.stringify(message)}\n`);
}
