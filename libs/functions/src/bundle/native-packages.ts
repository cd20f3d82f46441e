/**
 * Packages that are nothing without their native addon, which no function can load, and what may do instead of them. Of
 * others only the bundle's run tells: many that have an addon do without it when they must.
 */
const nativePackages: ReadonlyMap<string, string | null> = new Map([
  ['@libsql/client', '@libsql/client/web'],
  ['@napi-rs/canvas', null],
  ['@node-rs/argon2', 'hash-wasm'],
  ['@node-rs/bcrypt', 'bcryptjs'],
  ['@resvg/resvg-js', '@resvg/resvg-wasm'],
  ['argon2', 'hash-wasm'],
  ['bcrypt', 'bcryptjs'],
  ['better-sqlite3', null],
  ['canvas', null],
  ['isolated-vm', null],
  ['keytar', null],
  ['libsql', '@libsql/client/web'],
  ['lightningcss', 'lightningcss-wasm'],
  ['node-pty', null],
  ['sharp', '@imagemagick/magick-wasm'],
  ['snappy', 'snappyjs'],
  ['sqlite3', null],
  ['zeromq', null],
]);

/** What is wrong with importing `url`, an `npm:` specifier; null when it may well work. */
export function nativePackageError(url: string): string | null {
  // A part of a package may do without what the whole needs.
  const name = /^npm:\/?((?:@[^/@]+\/)?[^/@]+)(?:@[^/]*)?$/.exec(url)?.[1];
  const instead = name === undefined ? undefined : nativePackages.get(name);
  if (instead === undefined) return null;
  const hint = instead === null ? '' : ` npm:${instead} does without.`;
  return `npm:${name} needs a native addon, which functions cannot load.${hint}`;
}
