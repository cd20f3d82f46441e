import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';
import type { LogLine } from './function-runtime.js';
import { marks } from './loader/protocol.js';
import { droppedMessage, type LogGate } from './log-gate.js';
import { runtimeLimits as limits } from './runtime-limits.js';

type Level = LogLine['level'];

const levelOfMark: Record<string, Level> = { D: 'debug', I: 'info', W: 'warn', E: 'error' };
const notices: ReadonlySet<string> = new Set([
  marks.backgroundBegan,
  marks.backgroundEnded,
  marks.handlerEnded,
  marks.unloaded,
  marks.refused,
]);
/** What may stand between the mark of a level and the message: whose record it is, or nothing. */
// eslint-disable-next-line no-control-regex
const writerPattern = /^([\w-]{0,64})\x1d/;
const longestMark = 2 + 64 + marks.idEnd.length;
/** How Deno begins to tell what it ends of; the process's last words follow, to the end of the stream. */
const lastWords = 'error: Uncaught';
const newline = 0x0a;
const startMark = marks.start.charCodeAt(0);
// Everything that a terminal or a log viewer would act on, save tab and newline.
// eslint-disable-next-line no-control-regex
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

export interface LogSink {
  /** @param invocationId of the invocation that the function claims to have written it; null when it says nothing */
  onRecord(level: Level, message: string, invocationId: string | null): void;
  /** What the loader tells of the function's work; `what` is an invocation's id or a destination, as the mark says. */
  onNotice(mark: string, what: string): void;
}

/** Splits one stream of an instance into log records: what the loader marked is one record, anything else one per line. */
export function readLogRecords(stream: Readable, defaultLevel: Level, gate: LogGate, sink: LogSink): void {
  const splitter = new RecordSplitter(stream, defaultLevel, gate, sink);
  stream.on('data', (chunk: Buffer) => splitter.onChunk(chunk));
  stream.on('end', () => splitter.onEnd());
  // The stream of a killed process may end in an error; the records before it are what there is.
  stream.on('error', () => splitter.onEnd());
}

/**
 * Takes records off the text piece by piece: each method is given where one begins and returns where the next does, or
 * -1 when the rest is no whole one. Records that the gate will drop are only counted, since a function can write a
 * million of them in a second.
 */
class RecordSplitter {
  readonly #decoder = new StringDecoder('utf8');
  #text = '';
  /** The rest of a record that was too long, up to this terminator, is skipped. */
  #skipTo: string | null = null;

  constructor(
    private readonly stream: Readable,
    private readonly defaultLevel: Level,
    private readonly gate: LogGate,
    private readonly sink: LogSink,
  ) {}

  onChunk(chunk: Buffer): void {
    this.#text += this.#decoder.write(chunk);
    let begin = 0;
    while (begin < this.#text.length) {
      const next = this.#next(begin);
      if (next < 0) break;
      begin = next;
    }
    this.#text = this.#text.slice(begin);
    const pauseMs = this.gate.pauseFor(chunk.length, Date.now());
    if (pauseMs === 0) return;
    this.stream.pause();
    setTimeout(() => this.stream.resume(), pauseMs).unref();
  }

  onEnd(): void {
    if (this.#text !== '' && this.#skipTo === null)
      this.#emit(this.#text.replaceAll(marks.end, '').trimEnd());
    this.#text = '';
  }

  #next(begin: number): number {
    if (this.#skipTo !== null) return this.#skip(begin, this.#skipTo);
    if (this.gate.isClosed(Date.now())) return this.#drop(begin);
    return this.#text[begin] === marks.start ? this.#takeMarked(begin) : this.#takeLine(begin);
  }

  #skip(begin: number, terminator: string): number {
    const end = this.#text.indexOf(terminator, begin);
    if (end >= 0) this.#skipTo = null;
    return end < 0 ? this.#text.length : end + 1;
  }

  #takeMarked(begin: number): number {
    const end = this.#text.indexOf(marks.end, begin);
    if (end < 0) return this.#cutIfTooLong(begin, marks.end);
    this.#emit(this.#text.slice(begin, end));
    return end + 1;
  }

  #takeLine(begin: number): number {
    const isLast = this.defaultLevel === 'error' && this.#text.startsWith(lastWords, begin);
    const end = isLast ? -1 : this.#text.indexOf('\n', begin);
    const line = end < 0 ? this.#text.slice(begin) : this.#text.slice(begin, end);
    // A line that was written without its newline ends where the next marked record starts.
    const cut = line.indexOf(marks.start);
    if (cut < 0 && end < 0) return this.#cutIfTooLong(begin, '\n');
    this.#emit(cut < 0 ? line : line.slice(0, cut));
    return begin + (cut < 0 ? line.length + 1 : cut);
  }

  #cutIfTooLong(begin: number, terminator: string): number {
    if (this.#text.length - begin <= limits.logLineChars + longestMark) return -1;
    this.#emit(this.#text.slice(begin));
    this.#skipTo = terminator;
    return this.#text.length;
  }

  /** Passes over all whole records and counts them; only notices are heard. */
  #drop(begin: number): number {
    const text = this.#text;
    let next = begin;
    let records = 0;
    for (let at = begin; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === newline) {
        // An empty line is what console writes after a closing mark.
        if (at > next) records += 1;
        next = at + 1;
      } else if (code === startMark) {
        const end = text.indexOf(marks.end, at);
        if (end < 0) break;
        if (notices.has(text[at + 1]!)) this.#emit(text.slice(at, end));
        else records += 1;
        at = end;
        next = end + 1;
      }
    }
    this.gate.drop(records);
    if (next > begin) return next;
    return this.#cutIfTooLong(begin, text[begin] === marks.start ? marks.end : '\n');
  }

  #emit(record: string): void {
    const marked = record.startsWith(marks.start);
    const mark = marked ? (record[1] ?? '') : '';
    if (notices.has(mark)) return this.sink.onNotice(mark, record.slice(2));
    const level = levelOfMark[mark] ?? this.defaultLevel;
    const text = marked ? record.slice(2) : record.endsWith('\r') ? record.slice(0, -1) : record;
    if (text === '' && !marked) return;
    const { admitted, droppedBefore } = this.gate.admit(Date.now());
    if (droppedBefore > 0) this.sink.onRecord('warn', droppedMessage(droppedBefore), null);
    if (!admitted) return;
    const [head = '', id = ''] = (marked && writerPattern.exec(text)) || [];
    this.sink.onRecord(level, printable(text.slice(head.length)), id === '' ? null : id);
  }
}

/** What was written, as its writer meant it. */
export function unmarked(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1e[DIWE]?(?:[\w-]{0,64}\x1d)?|\x1f/g, '');
}

function printable(text: string): string {
  const kept = text.length > limits.logLineChars ? `${text.slice(0, limits.logLineChars)}…` : text;
  return kept.replace(controlCharacters, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
