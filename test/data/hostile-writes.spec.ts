import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { names, noise, prototypeNames, withVictim, type Sent } from './hostile.js';

const { answerTo, isAnsweredInShape, holdsForAll, isUnchanged } = withVictim({ PGRST_DB_TX_END: 'rollback' });

/** A path that no browser would send, but that HTTP can carry. */
const raw = (path: string) => path.replace(/[^\x21-\x7e]|#/gu, (mark) => encodeURIComponent(mark));

it('paths, profiles, ranges, preferences and types of any text are answered or refused', async () => {
  const printable = noise.map((text) => text.replace(/[^\x20-\x7e]/g, ''));
  const asked = fc
    .tuple(
      fc.oneof(
        names,
        noise.map(raw),
        fc.constantFrom('films', 'rpc/add', 'rpc/__proto__', 'rpc/', 'rpc/shout'),
      ),
      fc.constantFrom('accept', 'prefer', 'range', 'accept-profile', 'range-unit', 'content-type', 'cookie'),
      printable,
      fc.constantFrom('GET', 'HEAD', 'OPTIONS', 'DELETE', 'PATCH', 'POST', 'PUT'),
    )
    // HEAD and OPTIONS have no body to look at.
    .map(([path, header, value, method]): Sent => {
      const asks = method === 'HEAD' || method === 'OPTIONS' ? 'GET' : method;
      return { method: asks, path: path.replace(/^\/+|[?]/g, ''), headers: { [header]: value } };
    });
  await holdsForAll(asked, 150);
});

it('bodies with any keys and values, whole or broken, are stored or refused', async () => {
  const key = fc.oneof(names, fc.string());
  const object = fc
    .array(fc.tuple(key, fc.jsonValue({ maxDepth: 2 })), { maxLength: 4 })
    .map(
      (members) =>
        `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`,
    );
  const body = fc.oneof(
    object,
    fc.array(object, { maxLength: 3 }).map((rows) => `[${rows.join()}]`),
    object.map((text) => text.slice(0, -1)),
    fc.json(),
    noise,
    fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );
  const asked = fc
    .tuple(
      body,
      fc.constantFrom(
        'application/json',
        'text/csv',
        'application/x-www-form-urlencoded',
        'text/plain',
        'image/png',
      ),
      fc.constantFrom(
        'POST films',
        'PATCH films?id=eq.1',
        'PUT films?id=eq.1',
        'POST rpc/add',
        'POST rpc/shout',
        'POST rpc/joined',
      ),
      fc.constantFrom(
        'return=representation',
        'missing=default',
        'resolution=merge-duplicates',
        'return=headers-only',
      ),
      fc.constantFrom(
        '',
        'columns=id,title',
        'columns=__proto__',
        'on_conflict=constructor',
        'select=toString',
      ),
    )
    .map(([text, type, target, prefer, query]): Sent => {
      const [method, path] = target.split(' ') as [string, string];
      const joint = query === '' ? '' : path.includes('?') ? '&' : '?';
      return { method, path: path + joint + query, headers: { 'content-type': type, prefer }, body: text };
    });
  await holdsForAll(asked, 200);
});

const megabyte = 1024 * 1024;
const json = 'application/json';
const csv = 'text/csv';
const form = 'application/x-www-form-urlencoded';
const whole = (text: string) => `{"id":50,"title":${text}}`;

it.each([
  ['lists in each other', json, `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['objects in each other', json, `${'{"info":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
  ['lists in each other in a value', json, `{"id":50,"info":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
  ['lists that nothing closes', json, '['.repeat(megabyte)],
  ['a text that nothing closes', json, `{"title":"${'x'.repeat(megabyte)}`],
  ['keys of any number', json, `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":1`).join()}}`],
  ['one key again and again', json, `{${Array.from({ length: 50_000 }, () => '"title":"a"').join()}}`],
  ['a row again and again, its keys unlike at last', json, `[${'{"id":1},'.repeat(100_000)}{"title":1}]`],
  ['a number beyond all types', json, `{"id":${'9'.repeat(100_000)}}`],
  ['a number with an exponent beyond all types', json, '{"rating":1e999999999}'],
  ['a text with a NUL', json, whole('"\\u0000"')],
  ['a text with half a pair of surrogates', json, whole('"\\ud800"')],
  ['a body that is no UTF-8', json, Buffer.from([...Buffer.from('{"title":"'), 0xff, 0xfe, 0x22, 0x7d])],
  ['a body with a byte order mark', json, `\ufeff${whole('"a"')}`],
  ['a prototype for all', json, '{"__proto__":{"id":50},"constructor":{"prototype":{"title":"a"}}}'],
  ['a line of CSV with a quote that nothing closes', csv, `id,title\n50,"${'x'.repeat(megabyte)}`],
  ['CSV of any number of fields', csv, `${'a,'.repeat(100_000)}a\n1`],
  ['CSV of any number of empty lines', csv, '\n'.repeat(megabyte)],
  ['CSV with a NUL', csv, 'id,title\n50,a\0b'],
  ['CSV of carriage returns', csv, 'id,title\r50,a\r\r\r"\r'],
  ['CSV with names that every object has', csv, `${prototypeNames.join()}\n${prototypeNames.join()}`],
  ['a form of any number of fields', form, 'a=1&'.repeat(100_000)],
  ['a form with broken codes', form, 'title=%ff%&%00=1&=&&&=%'],
  ['a form with names that every object has', form, prototypeNames.map((name) => `${name}=1`).join('&')],
])('stores or refuses, as a row and as arguments: %s', async (_, type, body) => {
  const headers = { 'content-type': type, prefer: 'return=representation' };
  for (const path of ['films', 'films?columns=id,title,info', 'rpc/add', 'rpc/shout', 'rpc/joined']) {
    await isAnsweredInShape({ method: 'POST', path, headers, body });
  }
  await isAnsweredInShape({ method: 'PATCH', path: 'films?id=eq.1', headers, body });
  await isAnsweredInShape({ method: 'PUT', path: 'films?id=eq.50', headers, body });
});

it('a list of a million values is an argument like any other', async () => {
  const words = JSON.stringify({ words: Array.from({ length: 1_000_000 }, (_, i) => String(i)) });
  const { status, text } = await answerTo({
    method: 'POST',
    path: 'rpc/joined',
    headers: { 'content-type': json },
    body: words,
  });
  expect({ status, end: text.slice(-8) }).toEqual({ status: 200, end: '-999999"' });
});

it('a body that is too long is refused', async () => {
  const { status, text } = await answerTo({
    method: 'POST',
    path: 'films',
    headers: { 'content-type': json },
    body: whole(`"${'x'.repeat(16 * megabyte)}"`),
  });
  expect({ status, code: (JSON.parse(text) as { code: string }).code }).toEqual({
    status: 413,
    code: 'PGRST102',
  });
});

it('none of these has changed the database', async () => {
  await isUnchanged();
});
