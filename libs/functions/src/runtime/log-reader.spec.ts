import { describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { LogGate } from './log-gate.js';
import { readLogRecords } from './log-reader.js';
import { runtimeLimits as limits } from './runtime-limits.js';

/** What comes out of standard output, or of `source`, when `chunks` are written one by one. */
async function read(...chunks: (string | Buffer)[]) {
  return readFrom({ level: 'info', gate: new LogGate() }, ...chunks);
}

async function readFrom(source: { level: 'info' | 'error'; gate: LogGate }, ...chunks: (string | Buffer)[]) {
  const stream = new PassThrough({ highWaterMark: 64 * 1024 });
  const records: string[] = [];
  const notices: string[] = [];
  readLogRecords(stream, source.level, source.gate, {
    onRecord: (level, message, writer) => records.push(`${level}${writer ? `@${writer}` : ''}: ${message}`),
    onNotice: (mark, invocationId) => notices.push(`${mark}${invocationId}`),
  });
  for (const chunk of chunks) {
    stream.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  await new Promise((resolve) => stream.once('close', resolve));
  return { records, notices };
}

describe('log records', () => {
  it('are one per line, without the line end', async () => {
    expect((await read('one\ntwo\r\n\nthree')).records).toEqual(['info: one', 'info: two', 'info: three']);
  });

  it('are one per mark, with their level and all their lines', async () => {
    expect((await read('\x1eWa\nb\x1f\n\x1eE\x1f\n')).records).toEqual(['warn: a\nb', 'error: ']);
  });

  it('tell who wrote them, where the loader knows', async () => {
    const { records } = await read(
      '\x1eWid-1\x1da\x1f\n\x1eE\x1dwho\x1db\x1f\n\x1eIno id\x1dc\x1f\nid-1\x1dd\n',
    );
    expect(records).toEqual([
      'warn@id-1: a',
      'error: who\\u001db',
      'info: no id\\u001dc',
      'info: id-1\\u001dd',
    ]);
  });

  it('are whole however the stream was cut', async () => {
    const bytes = Buffer.from('\x1eDid-1\x1dgrün\x1f\nplain\n');
    const { records } = await read(...[...bytes].map((byte) => Buffer.from([byte])));
    expect(records).toEqual(['debug@id-1: grün', 'info: plain']);
  });

  it('begin anew at a mark in the middle of a line', async () => {
    expect((await read('no newline\x1eIyes\x1f\n')).records).toEqual(['info: no newline', 'info: yes']);
  });

  it('are cut at the limit, and what follows is read again', async () => {
    const { records } = await read('x'.repeat(limits.logLineChars + 5), 'yyy\nnext\n');
    expect(records).toEqual([`info: ${'x'.repeat(limits.logLineChars)}…`, 'info: next']);
  });

  it('do not include the notices of the loader', async () => {
    const { records, notices } = await read('\x1e+\x1f\n', '\x1e-\x1f\n\x1e.id-1\x1f\n');
    expect(records).toEqual([]);
    expect(notices).toEqual(['+', '-', '.id-1']);
  });

  it("are one for a process's last words, with all lines of the stack", async () => {
    const words = [
      'error: Uncaught (in promise) Error: oh\nthrow new Error("oh")',
      ';\n      ^\n    at main.js:1:7\n',
    ];
    const source = { level: 'error' as const, gate: new LogGate() };
    expect((await readFrom(source, 'before\n', ...words)).records).toEqual([
      'error: before',
      'error: error: Uncaught (in promise) Error: oh\nthrow new Error("oh");\n      ^\n    at main.js:1:7',
    ]);
  });
});

describe('a flood of records', () => {
  const fill = Array.from({ length: limits.logLinesPerWindow }, (_, n) => `line ${n}\n`).join('');

  it('is counted, lines and marked ones, and its notices are heard', async () => {
    const gate = new LogGate();
    const { records, notices } = await readFrom(
      { level: 'info', gate },
      fill,
      'a\n\nb\n\x1eIc\x1f\n\x1e+\x1f\nd\nno end',
      ' yet\n\x1eIe',
      ' and more\x1f\n\x1e.id\x1f\n',
    );
    expect(records).toHaveLength(limits.logLinesPerWindow);
    expect(notices).toEqual(['+', '.id']);
    // a, b, c, d, "no end yet", "e and more"
    expect(gate.takeDropped()).toBe(6);
  });

  it('costs the reader little more than as many bytes in long lines', async () => {
    const cost = async (line: string) => {
      const chunk = Buffer.from(line.repeat(65_536 / line.length));
      const source = { level: 'info' as const, gate: new LogGate() };
      const began = process.cpuUsage();
      await readFrom(source, fill, ...Array.from({ length: 100 }, () => chunk));
      const { user, system } = process.cpuUsage(began);
      return { cpuMs: (user + system) / 1000, dropped: source.gate.takeDropped() };
    };
    const long = `${'x'.repeat(8191)}\n`;
    await cost(long);
    const [few, many] = [await cost(long), await cost('a\n')];
    expect([few.dropped, many.dropped]).toEqual([800, 3_276_800]);
    expect(many.cpuMs).toBeLessThan(few.cpuMs * 5);
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
