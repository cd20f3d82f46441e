import { limitError, pgrstError } from '../errors.js';
import { limits } from '../limits.js';
import type { RestSettings } from '../settings/rest-settings.js';
import type { Action, ApiRequest, At } from './api-request.js';
import { readNames } from './field.js';
import {
  FilterBudget,
  looksLikeOperation,
  parseFieldPath,
  parseLogic,
  parseOperation,
  type Condition,
} from './filter.js';
import type { HttpRequest } from './http-request.js';
import { acceptedMediaTypes } from './media-type.js';
import { parseOrder, type OrderTerm } from './order.js';
import { parsePayload } from './payload.js';
import { parsePrefer } from './prefer.js';
import { parseQueryString } from './query-string.js';
import { allRows, askedRange, intersectRanges, parseRangeHeader, type RowRange } from './range.js';
import { Reader } from './reader.js';
import { parseSelect, type SelectItem } from './select.js';
import { resolveTarget } from './target.js';

/**
 * Parses a request by the grammar of PostgREST's URLs, bodies and headers. Knows nothing of the database.
 * @throws AppError with a PGRST1xx code.
 */
export function parseRequest(http: HttpRequest, settings: RestSettings): ApiRequest {
  const { headers, method } = http;
  const target = resolveTarget(http, settings);
  const query = parseQuery(http.query, target.action);
  const headerRange = method === 'GET' ? parseRangeHeader(headers['range']) : allRows;
  const range = intersectRanges(headerRange, query.range);
  if (target.action === 'upsert') refuseRange(range);
  const payload = parsePayload(target.action, http, query.columns);
  const isForm = payload?.kind === 'form';
  // Field by field: to spread them took a tenth of all that a small request costs.
  return {
    action: target.action,
    schema: target.schema,
    schemaWasNamed: target.schemaWasNamed,
    target: target.target,
    query: http.query,
    headersOnly: method === 'HEAD',
    select: query.select,
    conditions: query.conditions,
    orders: query.orders,
    embedRanges: query.embedRanges,
    range,
    columns: query.columns,
    onConflict: query.onConflict,
    arguments: isForm ? payload.arguments : query.arguments,
    payload: isForm ? undefined : payload,
    accepted: acceptedMediaTypes(headers['accept']),
    preferences: parsePrefer(headers['prefer'], settings.txEnd),
  };
}

/** PUT is of the one row that its filters name. */
function refuseRange({ offset, limit }: RowRange): void {
  if (offset === 0 && limit === undefined) return;
  throw pgrstError('PGRST114', {
    message: 'limit/offset querystring parameters are not allowed for PUT',
  });
}

type Query = Pick<
  ApiRequest,
  'select' | 'conditions' | 'orders' | 'embedRanges' | 'range' | 'columns' | 'onConflict' | 'arguments'
>;

function parseQuery(text: string, action: Action): Query {
  const parser = new QueryParser(action);
  for (const [name, value] of parseQueryString(text)) parser.add(name, value);
  return parser.finish();
}

class QueryParser {
  #select: readonly SelectItem[] | undefined;
  #columns: readonly string[] | undefined;
  #onConflict: readonly string[] | undefined;
  readonly #conditions: At<Condition>[] = [];
  readonly #orders: At<readonly OrderTerm[]>[] = [];
  readonly #arguments: [string, string][] = [];
  /** `limit` and `offset` by embed path, its names joined by dots. */
  readonly #ranges = new Map<string, { limit?: string; offset?: string }>();
  readonly #budget = new FilterBudget();

  constructor(private readonly action: Action) {}

  add(name: string, value: string): void {
    switch (name) {
      case 'select':
        this.#select ??= parseSelect(value);
        return;
      case 'columns':
        this.#columns ??= readNames(new Reader(value, 'columns parameter'));
        return;
      case 'on_conflict':
        this.#onConflict ??= readNames(new Reader(value, 'on_conflict parameter'));
        return;
      case 'apikey':
        // The gateway's parameter, unless a column of that name is filtered.
        if (!looksLikeOperation(value)) return;
    }
    this.#addByLastName(name, value);
  }

  #addByLastName(name: string, value: string): void {
    const dot = name.lastIndexOf('.');
    const last = name.slice(dot + 1);
    const path = dot === -1 ? '' : name.slice(0, dot);
    switch (last) {
      case 'order':
        this.#addOrder(path, value);
        return;
      case 'limit':
        this.#setRange(path, { limit: value });
        return;
      case 'offset':
        this.#setRange(path, { offset: value });
        return;
      case 'and':
      case 'or': {
        const { path: logicPath, condition } = parseLogic(name, value, this.#budget);
        this.#conditions.push({ path: logicPath, value: condition });
        return;
      }
      default:
        this.#addFilter(name, value);
    }
  }

  #addFilter(name: string, value: string): void {
    const { path, field } = parseFieldPath(name);
    if (this.action === 'callRead' && !looksLikeOperation(value)) {
      if (this.#arguments.length === limits.columns) throw limitError('arguments', limits.columns);
      if (path.length === 0) this.#arguments.push([field.column, value]);
      return;
    }
    this.#budget.spend();
    this.#conditions.push({ path, value: { kind: 'filter', field, ...parseOperation(value) } });
  }

  #addOrder(path: string, value: string): void {
    // `order=` with nothing is what some clients send for "no order".
    if (value === '') return;
    this.#orders.push({ path: splitPath(path), value: parseOrder(value) });
    const count = this.#orders.reduce((sum, order) => sum + order.value.length, 0);
    if (count > limits.orderTerms) throw limitError('terms in order', limits.orderTerms);
  }

  #setRange(path: string, part: { limit?: string; offset?: string }): void {
    this.#ranges.set(path, { ...this.#ranges.get(path), ...part });
    if (this.#ranges.size > limits.selectItems) throw limitError('limits', limits.selectItems);
  }

  finish(): Query {
    const embedRanges = [...this.#ranges].filter(([path]) => path !== '');
    return {
      select: this.#select ?? [{ kind: 'star' }],
      conditions: this.#conditions,
      orders: this.#orders,
      embedRanges: embedRanges.map(([path, asked]) => ({ path: splitPath(path), value: askedRange(asked) })),
      range: askedRange(this.#ranges.get('') ?? {}),
      columns: this.#columns === undefined ? undefined : [...new Set(this.#columns)],
      onConflict: this.#onConflict,
      arguments: this.#arguments,
    };
  }
}

function splitPath(path: string): string[] {
  if (path === '') return [];
  const { path: parents, field } = parseFieldPath(path);
  if (field.jsonPath.length > 0) {
    throw pgrstError('PGRST100', { message: `"failed to parse tree path (${path})" (line 1, column 1)` });
  }
  return [...parents, field.column];
}
