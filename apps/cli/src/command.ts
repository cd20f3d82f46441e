import { OperatorError } from '#libs/platform';
import type { ParseArgsConfig } from 'node:util';
import type { Management } from './connection.js';

export type Say = (line: string) => void;

/** One command line, read. */
export interface Call {
  /** What stands after the command's name. */
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  /** Prints a line of the command's result. */
  readonly say: Say;
  /** Prints a line beside the result, which a script does not read. */
  readonly note: Say;
  /** The server that the command line, the environment or the data directory names. */
  connect(): Promise<Management>;
}

/** Something that `galley` does. */
export interface Command {
  /** One word or two, as typed after `galley`. */
  readonly name: string;
  /** As the help shows them: `<name> [number]`, and `…` for as many as one likes. */
  readonly parameters: string;
  readonly summary: string;
  /** Beside `--help`, and `--url` and `--token` of those that talk to a server. */
  readonly options?: NonNullable<ParseArgsConfig['options']>;
  readonly talksToServer: boolean;
  run(call: Call): Promise<void>;
}

/** @throws OperatorError when there are too few arguments or too many for the command's parameters */
export function checkArguments({ name, parameters }: Command, args: readonly string[]): void {
  const words = parameters.split(' ').filter((word) => /^[<[]/.test(word));
  const needed = words.filter((word) => word.startsWith('<')).length;
  const most = parameters.includes('…') ? Infinity : words.length;
  if (args.length >= needed && args.length <= most) return;
  throw new OperatorError(`Usage: galley ${name} ${parameters}`);
}

/** Rows below their headings, each column as wide as its longest cell. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `2026-11-01 12:34:56` */
export function timeText(time: number | string | null): string {
  if (time === null) return '-';
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}
