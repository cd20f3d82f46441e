import { randomBytes } from 'node:crypto';
import { AppError } from '#libs/platform';
import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { ApiRequest } from '../request/api-request.js';
import type { Condition, Operation } from '../request/filter.js';
import { isList, isNumber, textOf, writeJson, type Json } from './json-text.js';
import {
  parseReference,
  resolveReference,
  type Bodies,
  type EarlierRequests,
  type Reference,
} from './reference.js';

/**
 * A path whose references `${/author/0/id}` have marks in their places. The marks are parsed as the values that they
 * stand for, and what is there is put in only when the request has been taken apart: so no value can be read as
 * anything but a value, whatever it holds.
 */
export interface PathTemplate {
  readonly path: string;
  readonly references: readonly Reference[];
}

/** Nobody can foresee it, so nobody writes a mark of their own. */
const secret = `galley${randomBytes(12).toString('hex')}`;
const markPattern = new RegExp(`${secret}x(\\d+)x`, 'g');
const onlyMark = new RegExp(`^${secret}x(\\d+)x$`);

/** @throws AppError PGRST102 for a reference that cannot be one */
export function parsePathTemplate(path: string, earlier: EarlierRequests): PathTemplate {
  const references: Reference[] = [];
  const marked = path.replaceAll(/\$\{([^{}]*)\}/g, (_, pointer: string) => {
    references.push(parseReference(pointer, earlier));
    return `${secret}x${references.length - 1}x`;
  });
  return { path: marked, references };
}

/**
 * The request with the values that the references in its path point at.
 * @throws AppError PGRST102 when there is nothing, or where no value may stand
 */
export function resolveRequest(
  request: ApiRequest,
  { references }: PathTemplate,
  bodies: Bodies,
): ApiRequest {
  if (references.length === 0) return request;
  const values = new PathValues(references, bodies);
  const resolved: ApiRequest = {
    ...request,
    conditions: request.conditions.map(({ path, value }) => ({ path, value: conditionOf(value, values) })),
    arguments: request.arguments.map(([name, value]) => [name, values.textIn(value)]),
  };
  values.refuseMisplaced();
  return resolved;
}

/** Runs `parse`; what it says of the path says the references and not their marks. */
export function inWordsOf<T>({ references }: PathTemplate, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof AppError) || references.length === 0) throw error;
    const { code, status, hint, headers, details } = error;
    const inWords = (text: string) =>
      text.replaceAll(markPattern, (_, index: string) => `\${${references[Number(index)]!.pointer}}`);
    throw new AppError({
      code,
      status,
      message: inWords(error.message),
      details: typeof details === 'string' ? inWords(details) : details,
      hint,
      headers,
      cause: error,
    });
  }
}

function conditionOf(condition: Condition, values: PathValues): Condition {
  if (condition.kind === 'filter') {
    return { ...condition, operation: operationOf(condition.operation, values) };
  }
  return { ...condition, conditions: condition.conditions.map((inner) => conditionOf(inner, values)) };
}

function operationOf(operation: Operation, values: PathValues): Operation {
  switch (operation.kind) {
    case 'is':
      return operation;
    case 'in': {
      const elements = operation.values.flatMap((element) => values.elementsIn(element));
      if (elements.length <= limits.listElements) return { ...operation, values: elements };
      throw limitError('values in a list', limits.listElements);
    }
    case 'search':
      return { ...operation, value: values.textIn(operation.value, false) };
    case 'compare': {
      const mayBeLiteral = operation.quantifier !== undefined || !patterns.has(operation.operator);
      return { ...operation, value: values.textIn(operation.value, mayBeLiteral) };
    }
    case 'isdistinct':
      return { ...operation, value: values.textIn(operation.value) };
  }
}

/** Operators whose right side is of no other type than text. */
const patterns = new Set<string>(['like', 'ilike', 'match', 'imatch']);

/** What stands in the places of the marks. */
class PathValues {
  readonly #used = new Set<number>();
  #length = 0;

  constructor(
    private readonly references: readonly Reference[],
    private readonly bodies: Bodies,
  ) {}

  /** The elements that one of a list stands for: those of a list in the place of a mark. */
  elementsIn(element: string): string[] {
    const mark = onlyMark.exec(element);
    const value = mark && this.#at(mark[1]!);
    if (value === null || !isList(value)) return [this.textIn(element)];
    return value.map((inner) => this.#text(inner, mark![1]!));
  }

  /**
   * The text with values in the places of its marks.
   * @param mayBeLiteral  what begins with a bracket is a literal of an array, a range or a row, and values are its elements
   */
  textIn(text: string, mayBeLiteral = true): string {
    const isLiteral = mayBeLiteral && /^[{[(]/.test(text);
    return text.replaceAll(markPattern, (_, index: string, position: number) => {
      const value = this.#at(index);
      return isLiteral ? this.#elementText(value, index, text.slice(0, position)) : this.#text(value, index);
    });
  }

  /** @param before  the literal up to here */
  #elementText(value: Json, index: string, before: string): string {
    const unescaped = before.replaceAll(/\\./gs, '');
    if (unescaped.endsWith('\\')) throw this.#misplaced(index);
    if (unescaped.split('"').length % 2 === 0) return escaped(this.#text(value, index));
    const elements = isList(value) ? value : [value];
    return elements.map((element) => quoted(element, this.#text(element, index))).join(',');
  }

  #at(index: string): Json {
    this.#used.add(Number(index));
    return resolveReference(this.references[Number(index)]!, this.bodies);
  }

  /** How a value is written in a path. */
  #text(value: Json, index: string): string {
    if (value === null) {
      throw pgrstError('PGRST102', {
        message: `"${this.references[Number(index)]!.pointer}" is null, which no path can say`,
      });
    }
    const text = textOf(value) ?? writeJson(value);
    if (text.includes('\0'))
      throw pgrstError('PGRST102', { message: 'A value of a path contains a NUL character' });
    this.#length += text.length;
    if (this.#length <= limits.batchBodyBytes) return text;
    throw limitError('bytes in a path with its references', limits.batchBodyBytes);
  }

  /** @throws AppError PGRST102 for a reference that was no value of a filter and no argument */
  refuseMisplaced(): void {
    const misplaced = this.references.findIndex((_, index) => !this.#used.has(index));
    if (misplaced !== -1) throw this.#misplaced(misplaced);
  }

  #misplaced(index: string | number) {
    return pgrstError('PGRST102', {
      message: `"${this.references[Number(index)]!.pointer}" stands where no reference may`,
      details: 'In a path, references may be values of filters and arguments of functions.',
    });
  }
}

/** An element of PostgreSQL's literals. */
function quoted(value: Json, text: string): string {
  return typeof value === 'boolean' || isNumber(value) ? text : `"${escaped(text)}"`;
}

function escaped(text: string): string {
  return text.replaceAll(/["\\]/g, '\\$&');
}
