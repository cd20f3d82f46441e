import type { CatalogueFunction, FunctionArgument } from './catalogue.sql.js';
import { array, intersection, object, stringLiteral, union, type Member, type Node } from './layout.js';
import { columnMember, type TypeScope } from './type-scope.js';

/** OIDs that PostgreSQL has given away for good: json, jsonb, text. */
const bodyTypes = new Set([114, 3802, 25]);

function inputsOf({ args }: CatalogueFunction): FunctionArgument[] {
  return args
    .filter(({ mode }) => mode === 'in' || mode === 'inout' || mode === 'variadic')
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

/** Whether a request can call it: all parameters have names, or the only one is the body or a row. */
export function isCallable(scope: TypeScope, called: CatalogueFunction): boolean {
  const inputs = inputsOf(called);
  const unnamed = inputs.filter(({ name }) => name === '');
  if (unnamed.every(({ hasDefault, typeOid }) => hasDefault && bodyTypes.has(typeOid))) return true;
  return inputs.length === 1 && (bodyTypes.has(inputs[0]!.typeOid) || isRow(scope, inputs[0]!));
}

function isRow(scope: TypeScope, { typeOid }: FunctionArgument): boolean {
  return scope.type(typeOid)?.relation != null;
}

/** All functions of one name. */
export function functionType(scope: TypeScope, overloads: readonly CatalogueFunction[]): Node {
  const sorted = overloads.toSorted(
    (a, b) => a.argumentTypes.localeCompare(b.argumentTypes) || a.returnType.localeCompare(b.returnType),
  );
  return union(sorted.map((called) => signature(scope, called, sorted)));
}

function signature(
  scope: TypeScope,
  called: CatalogueFunction,
  overloads: readonly CatalogueFunction[],
): Node {
  const inputs = inputsOf(called);
  const args = inputs.map(({ name, hasDefault, typeOid }) => ({
    name,
    optional: hasDefault,
    type: scope.ofOid(called.schema, typeOid),
  }));
  const problem = problemOf(scope, called, overloads);
  const returned = problem === undefined ? returnedType(scope, called) : errorType(problem);
  return object(
    [
      { name: 'Args', type: args.length === 0 ? 'never' : object(args, false) },
      { name: 'Returns', type: isList(scope, called) ? array(returned) : returned },
      ...setOptions(scope, called),
    ],
    false,
  );
}

function errorType(problem: string): Node {
  return intersection(object([{ name: 'error', type: 'true' }]), stringLiteral(problem));
}

/** Why PostgREST will not call it. */
function problemOf(
  scope: TypeScope,
  called: CatalogueFunction,
  overloads: readonly CatalogueFunction[],
): string | undefined {
  const { schema, name } = called;
  const inputs = inputsOf(called);
  const others = overloads.filter((other) => other !== called);
  const rivals = others.filter((other) => areAlike(inputs, inputsOf(other)));
  if (rivals.length > 0) {
    const listed = inputs.length === 0 ? [called, rivals[0]!] : [called, ...rivals].toSorted(byFirstType);
    const choices = listed.map((one) => `${schema}.${name}(${choiceText(scope, one)})`).join(', ');
    return (
      `Could not choose the best candidate function between: ${choices}. ` +
      'Try renaming the parameters or the function itself in the database so function overloading can be resolved'
    );
  }
  const [input] = inputs;
  const takesRow = inputs.length === 1 && input!.name === '' && isRow(scope, input!);
  if (!takesRow || returnedRelation(scope, called) !== undefined) return undefined;
  return (
    `the function ${schema}.${name} with parameter or with a single unnamed json/jsonb parameter, ` +
    'but no matches were found in the schema cache'
  );
}

/** Whether a call of the one may as well mean the other. */
function areAlike(own: readonly FunctionArgument[], other: readonly FunctionArgument[]): boolean {
  const [rival] = other;
  if (other.length !== 1) return false;
  if (own.length === 0) return rival!.name === '' && rival!.hasDefault;
  return (
    own.length === 1 &&
    own[0]!.name !== '' &&
    own[0]!.name === rival!.name &&
    own[0]!.typeOid !== rival!.typeOid
  );
}

function byFirstType(a: CatalogueFunction, b: CatalogueFunction): number {
  return (inputsOf(a)[0]?.typeOid ?? 0) - (inputsOf(b)[0]?.typeOid ?? 0);
}

/** Of an unnamed parameter the type of the result is told, as Supabase's generator does. */
function choiceText(scope: TypeScope, called: CatalogueFunction): string {
  const [input] = inputsOf(called);
  if (!input) return '';
  const oid = input.name === '' ? called.returnTypeOid : input.typeOid;
  return `${input.name} => ${scope.type(oid)?.name ?? 'unknown'}`;
}

/** What one call gives, or one row of it. */
export function returnedType(scope: TypeScope, called: CatalogueFunction): Node {
  const { schema, args, returnRelation } = called;
  const columns = args
    .filter(({ mode }) => mode === 'table')
    .toSorted((a, b) => a.name.localeCompare(b.name));
  if (columns.length > 0) {
    return object(columns.map(({ name, typeOid }) => ({ name, type: scope.ofOid(schema, typeOid) })));
  }
  const relation = returnRelation === null ? undefined : scope.relation(returnRelation);
  if (relation?.schema !== schema) return scope.ofOid(schema, called.returnTypeOid);
  return object(
    scope
      .columns(relation.oid)
      .map((column) =>
        columnMember(scope, schema, column, { isNullable: column.isNullable, optional: false }),
      ),
  );
}

/** The relation or composite type whose rows are returned, by name. */
function returnedRelation(scope: TypeScope, { returnRelation, returnTypeOid }: CatalogueFunction) {
  if (returnRelation === null) return undefined;
  return scope.relation(returnRelation)?.name ?? scope.type(returnTypeOid)?.name;
}

function returnsMany({ isSet, rows }: CatalogueFunction): boolean {
  return isSet && rows > 1;
}

/** A set that is said to have one row (\`rows 1\`) is no list, where its rows are a relation's. */
function isList(scope: TypeScope, called: CatalogueFunction): boolean {
  return called.isSet && (returnsMany(called) || returnedRelation(scope, called) === undefined);
}

/** Which rows come of which, so that the result can be selected from and embedded. */
function setOptions(scope: TypeScope, called: CatalogueFunction): Member[] {
  const to = returnedRelation(scope, called);
  if (to === undefined) return [];
  const source = called.args.length === 1 ? scope.type(called.args[0]!.typeOid) : undefined;
  const from = source?.relation == null ? '*' : source.format;
  const options = object([
    { name: 'from', type: stringLiteral(from) },
    { name: 'to', type: stringLiteral(to) },
    { name: 'isOneToOne', type: String(!returnsMany(called)) },
    { name: 'isSetofReturn', type: String(called.isSet) },
  ]);
  return [{ name: 'SetofOptions', type: options }];
}
