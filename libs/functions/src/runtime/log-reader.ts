import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import type { LogLine } from './function-runtime.js';
import { marks } from './loader.js';
import { runtimeLimits as limits } from './runtime-limits.js';

type Level = LogLine['level'];

const levelOfMark: Record<string, Level> = { D: 'debug', I: 'info', W: 'warn', E: 'error' };
// Everything that a terminal or a log viewer would act on, save tab and newline.
// eslint-disable-next-line no-control-regex
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

export interface LogSink {
  onRecord(level: Level, message: string): void;
  onBackground(pending: boolean): void;
}

/** Lets through `limits.logLinesPerWindow` records in each window, of both streams of an instance together. */
export class LogGate {
  #windowEndsAt = 0;
  #lines = 0;
  #bytes = 0;
  #dropped = 0;

  /** @returns whether one more record fits, and how many were dropped before it that nobody was told of. */
  admit(now: number): { admitted: boolean; droppedBefore: number } {
    this.#enterWindow(now);
    this.#lines += 1;
    const admitted = this.#lines <= limits.logLinesPerWindow;
    if (!admitted) this.#dropped += 1;
    return { admitted, droppedBefore: admitted ? this.takeDropped() : 0 };
  }

  /** @returns for how many milliseconds reading should stop because the window's bytes are used up; 0 to go on. */
  pauseFor(bytes: number, now: number): number {
    this.#enterWindow(now);
    this.#bytes += bytes;
    return this.#bytes > limits.logBytesPerWindow ? this.#windowEndsAt - now : 0;
  }

  /** Records dropped and not yet told of. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  #enterWindow(now: number): void {
    if (now < this.#windowEndsAt) return;
    this.#windowEndsAt = now + limits.logWindowMs;
    this.#lines = 0;
    this.#bytes = 0;
  }
}

/** Splits one stream of an instance into log records: what the loader marked is one record, anything else one per line. */
export function readLogRecords(stream: Readable, defaultLevel: Level, gate: LogGate, sink: LogSink): void {
  const splitter = new RecordSplitter(stream, defaultLevel, gate, sink);
  stream.on('data', (chunk: Buffer) => splitter.onChunk(chunk));
  stream.on('end', () => splitter.onEnd());
  // The stream of a killed process may end in an error; the records before it are what there is.
  stream.on('error', () => splitter.onEnd());
}

class RecordSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #buffer = '';
  /** The rest of a record that was too long, up to this terminator, is skipped. */
  #skipTo: string | null = null;

  constructor(
    private readonly stream: Readable,
    private readonly defaultLevel: Level,
    private readonly gate: LogGate,
    private readonly sink: LogSink,
  ) {}

  onChunk(chunk: Buffer): void {
    this.#buffer += this.#decoder.write(chunk);
    while (this.#takeRecord());
    const pauseMs = this.gate.pauseFor(chunk.length, Date.now());
    if (pauseMs === 0) return;
    this.stream.pause();
    setTimeout(() => this.stream.resume(), pauseMs).unref();
  }

  onEnd(): void {
    if (this.#buffer !== '' && this.#skipTo === null) this.#emit(this.#buffer.replaceAll(marks.end, ''));
    this.#buffer = '';
  }

  /** Takes one record off the buffer; false when no whole one is there. */
  #takeRecord(): boolean {
    if (this.#skipTo !== null) return this.#skip(this.#skipTo);
    const marked = this.#buffer.startsWith(marks.start);
    const terminator = marked ? marks.end : '\n';
    const end = this.#buffer.indexOf(terminator);
    const record = end < 0 ? this.#buffer : this.#buffer.slice(0, end);
    // A line that was written without its newline ends where the next marked record starts.
    const cut = marked ? -1 : record.indexOf(marks.start);
    if (cut > 0) return this.#take(record.slice(0, cut), cut);
    if (end >= 0) return this.#take(record, end + 1);
    if (record.length <= limits.logLineChars) return false;
    this.#skipTo = terminator;
    return this.#take(record, record.length);
  }

  #take(record: string, length: number): boolean {
    this.#emit(record);
    this.#buffer = this.#buffer.slice(length);
    return this.#buffer !== '';
  }

  #skip(terminator: string): boolean {
    const end = this.#buffer.indexOf(terminator);
    this.#buffer = end < 0 ? '' : this.#buffer.slice(end + 1);
    if (end >= 0) this.#skipTo = null;
    return end >= 0 && this.#buffer !== '';
  }

  #emit(record: string): void {
    const marked = record.startsWith(marks.start);
    if (marked && (record[1] === marks.backgroundBegan || record[1] === marks.backgroundEnded)) {
      this.sink.onBackground(record[1] === marks.backgroundBegan);
      return;
    }
    const level = (marked && levelOfMark[record[1] ?? '']) || this.defaultLevel;
    const text = marked ? record.slice(2) : record.endsWith('\r') ? record.slice(0, -1) : record;
    // console writes a newline after the closing mark.
    if (text === '' && !marked) return;
    const { admitted, droppedBefore } = this.gate.admit(Date.now());
    if (droppedBefore > 0) this.sink.onRecord('warn', droppedMessage(droppedBefore));
    if (admitted) this.sink.onRecord(level, printable(text));
  }
}

export function droppedMessage(count: number): string {
  return `${count} log records were dropped: the limit is ${limits.logLinesPerWindow} in ${limits.logWindowMs / 1000} s.`;
}

function printable(text: string): string {
  const kept = text.length > limits.logLineChars ? `${text.slice(0, limits.logLineChars)}…` : text;
  return kept.replace(controlCharacters, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
