import { expect, it } from '@jest/globals';
import { viewColumnOrigins } from './view-column-origins.js';

function entry(
  number: number,
  name: string,
  table: number,
  column: number,
  expression = '{VAR :varno 1}',
): string {
  return (
    `{TARGETENTRY :expr ${expression} :resno ${number} :resname ${name} :ressortgroupref 0 ` +
    `:resorigtbl ${table} :resorigcol ${column} :resjunk false}`
  );
}

it('finds the origin of plain columns and skips computed ones', () => {
  const rule = `({QUERY :commandType 1 :targetList (${entry(1, 'id', 16400, 1)} ${entry(2, 'x', 0, 0)}) :onConflict <>})`;
  expect(viewColumnOrigins(rule)).toEqual([{ number: 1, table: 16400, column: 1 }]);
});

it('looks at the outermost query alone', () => {
  const inner = `{QUERY :targetList (${entry(1, 'hidden', 1, 9)})}`;
  const rule = `({QUERY :cteList ({CTE :ctequery ${inner}}) :targetList (${entry(3, 'a', 7, 2, `{SUBLINK :subselect ${inner}}`)}) :x (${inner})})`;
  expect(viewColumnOrigins(rule)).toEqual([{ number: 3, table: 7, column: 2 }]);
});

it('is not led astray by brackets in names', () => {
  const rule = `({QUERY :targetList (${entry(1, String.raw`a\}\ b\)`, 5, 1)} ${entry(2, String.raw`\{`, 5, 2)})})`;
  expect(viewColumnOrigins(rule).map((origin) => origin.number)).toEqual([1, 2]);
});

it('gives nothing for what it does not understand', () => {
  for (const rule of ['', '<>', '(', '({QUERY', '))))', '({QUERY :targetList <>})'])
    expect(viewColumnOrigins(rule)).toEqual([]);
});
