import { expect, it } from '@jest/globals';
import { limits } from '../limits.js';
import { PreparedStatements } from './prepared-statements.js';

function use(statements: PreparedStatements, role: string, text: string, times: number): string | undefined {
  let name: string | undefined;
  for (let i = 0; i < times; i += 1) name = statements.nameOf(role, text);
  return name;
}

it('names a statement once it is used often, differently by role', () => {
  const statements = new PreparedStatements();
  expect(use(statements, 'anon', 'select 1', limits.usesBeforePreparing - 1)).toBeUndefined();
  const name = statements.nameOf('anon', 'select 1');
  expect(name).toBeDefined();
  expect(statements.nameOf('anon', 'select 1')).toBe(name);
  expect(use(statements, 'service_role', 'select 1', limits.usesBeforePreparing)).not.toBe(name);
});

it('names no more statements than a connection may hold, and keeps those it named', () => {
  const statements = new PreparedStatements();
  const names = Array.from({ length: limits.preparedStatements * 2 }, (_, i) =>
    use(statements, 'anon', `select ${i}`, limits.usesBeforePreparing),
  );
  expect(names.filter((name) => name !== undefined)).toHaveLength(limits.preparedStatements);
  expect(statements.nameOf('anon', 'select 0')).toBe(names[0]);
});

it('forgets rare statements and never names long ones', () => {
  const statements = new PreparedStatements();
  use(statements, 'anon', 'rare', limits.usesBeforePreparing - 1);
  for (let i = 0; i < limits.countedStatements; i += 1) statements.nameOf('anon', `other ${i}`);
  expect(statements.nameOf('anon', 'rare')).toBeUndefined();
  const long = 'x'.repeat(limits.preparedTextLength + 1);
  expect(use(statements, 'anon', long, limits.usesBeforePreparing * 2)).toBeUndefined();
});
