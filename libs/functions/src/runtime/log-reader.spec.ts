import { describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { LogGate, readLogRecords } from './log-reader.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** What comes out when `chunks` are written one by one. */
async function read(...chunks: (string | Buffer)[]) {
  const stream = new PassThrough();
  const records: string[] = [];
  const background: boolean[] = [];
  readLogRecords(stream, 'info', new LogGate(), {
    onRecord: (level, message) => records.push(`${level}: ${message}`),
    onBackground: (pending) => background.push(pending),
  });
  for (const chunk of chunks) {
    stream.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  await new Promise((resolve) => stream.once('close', resolve));
  return { records, background };
}

describe('log records', () => {
  it('are one per line, without the line end', async () => {
    expect((await read('one\ntwo\r\n\nthree')).records).toEqual(['info: one', 'info: two', 'info: three']);
  });

  it('are one per mark, with their level and all their lines', async () => {
    expect((await read('\x1eWa\nb\x1f\n\x1eE\x1f\n')).records).toEqual(['warn: a\nb', 'error: ']);
  });

  it('are whole however the stream was cut', async () => {
    const bytes = Buffer.from('\x1eDgrün\x1f\nplain\n');
    const { records } = await read(...[...bytes].map((byte) => Buffer.from([byte])));
    expect(records).toEqual(['debug: grün', 'info: plain']);
  });

  it('begin anew at a mark in the middle of a line', async () => {
    expect((await read('no newline\x1eIyes\x1f\n')).records).toEqual(['info: no newline', 'info: yes']);
  });

  it('are cut at the limit, and what follows is read again', async () => {
    const { records } = await read('x'.repeat(limits.logLineChars + 5), 'yyy\nnext\n');
    expect(records).toEqual([`info: ${'x'.repeat(limits.logLineChars)}…`, 'info: next']);
  });

  it('do not include the notices of background work', async () => {
    const { records, background } = await read('\x1e+\x1f\n', '\x1e-\x1f\n');
    expect(records).toEqual([]);
    expect(background).toEqual([true, false]);
  });
});

describe('the gate', () => {
  it('admits the limit in each window and tells of the dropped with the next record', () => {
    const gate = new LogGate();
    const admitted = Array.from({ length: limits.logLinesPerWindow + 7 }, () => gate.admit(1000).admitted);
    expect(admitted.filter(Boolean)).toHaveLength(limits.logLinesPerWindow);
    expect(gate.admit(1000 + limits.logWindowMs)).toEqual({ admitted: true, droppedBefore: 7 });
  });

  it('asks to stop reading until the window ends when its bytes are used up', () => {
    const gate = new LogGate();
    expect(gate.pauseFor(limits.logBytesPerWindow, 1000)).toBe(0);
    expect(gate.pauseFor(1, 3000)).toBe(limits.logWindowMs - 2000);
    expect(gate.pauseFor(1, 1000 + limits.logWindowMs)).toBe(0);
  });
});
