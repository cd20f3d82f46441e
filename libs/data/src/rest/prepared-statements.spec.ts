import { expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { PreparedStatements } from './prepared-statements.js';

const schema = {};
const statementsOf = () => new PreparedStatements(() => {});

function use(statements: PreparedStatements, role: string, text: string, times: number): string | undefined {
  let name: string | undefined;
  for (let i = 0; i < times; i += 1) name = statements.nameOf(schema, role, text);
  return name;
}

it('names a statement once it is used often, differently by role', () => {
  const statements = statementsOf();
  expect(use(statements, 'anon', 'select 1', limits.usesBeforePreparing - 1)).toBeUndefined();
  const name = statements.nameOf(schema, 'anon', 'select 1');
  expect(name).toBeDefined();
  expect(statements.nameOf(schema, 'anon', 'select 1')).toBe(name);
  expect(use(statements, 'service_role', 'select 1', limits.usesBeforePreparing)).not.toBe(name);
});

it('begins anew when there are more than a connection may hold, so that nobody uses them up for the others', () => {
  let times = 0;
  const statements = new PreparedStatements(() => (times += 1));
  const names = Array.from({ length: limits.preparedStatements + 1 }, (_, i) =>
    use(statements, 'anon', `select ${i}`, limits.usesBeforePreparing),
  );
  expect(new Set(names).size).toBe(names.length);
  expect(times).toBe(1);
  expect(statements.nameOf(schema, 'anon', 'select 0')).toBeUndefined();
  expect(statements.nameOf(schema, 'anon', `select ${limits.preparedStatements}`)).toBe(names.at(-1));
});

it('begins anew with another snapshot of the schema, whose columns may have other types', () => {
  let times = 0;
  const statements = new PreparedStatements(() => (times += 1));
  const name = use(statements, 'anon', 'select 1', limits.usesBeforePreparing);
  const changed = {};
  expect(statements.nameOf(changed, 'anon', 'select 1')).toBeUndefined();
  for (let i = 2; i < limits.usesBeforePreparing; i += 1) statements.nameOf(changed, 'anon', 'select 1');
  expect(statements.nameOf(changed, 'anon', 'select 1')).not.toBe(name);
  expect(times).toBe(1);
});

it('forgets rare statements and never names long ones', () => {
  const statements = statementsOf();
  use(statements, 'anon', 'rare', limits.usesBeforePreparing - 1);
  for (let i = 0; i < limits.countedStatements; i += 1) statements.nameOf(schema, 'anon', `other ${i}`);
  expect(statements.nameOf(schema, 'anon', 'rare')).toBeUndefined();
  const long = 'x'.repeat(limits.preparedTextLength + 1);
  expect(use(statements, 'anon', long, limits.usesBeforePreparing * 2)).toBeUndefined();
});
