import { readFileSync } from 'node:fs';
import ts from 'typescript';

/**
 * The names of the tests of a spec file, each after the names of what it stands in: `a filter: eq`. One test of each
 * row where rows begin with their names; otherwise the name with its placeholders.
 */
export function testNames(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const names: string[] = [];
  const visit = (node: ts.Node, above: readonly string[]): void => {
    if (ts.isCallExpression(node)) {
      const title = textOf(node.arguments[0]);
      const called = node.expression;
      if (called.getText() === 'describe' && title !== undefined) {
        ts.forEachChild(node.arguments[1]!, (child) => visit(child, [...above, title]));
        return;
      }
      const found = namesOf(called, node, title, source);
      names.push(...found.map((name) => [...above, name].join(': ')));
    }
    ts.forEachChild(node, (child) => visit(child, above));
  };
  visit(source, []);
  return names;
}

function namesOf(
  called: ts.Expression,
  node: ts.CallExpression,
  title: string | undefined,
  source: ts.SourceFile,
): string[] {
  if (called.getText() === 'shows') return firstTexts(node.arguments[0]!, source);
  if (called.getText() === 'it' && title !== undefined) return [title];
  if (!ts.isCallExpression(called) || called.expression.getText() !== 'it.each' || title === undefined)
    return [];
  return title === '%s' ? firstTexts(called.arguments[0]!, source) : [title];
}

/** What each row of a table begins with. */
function firstTexts(table: ts.Expression, source: ts.SourceFile): string[] {
  if (ts.isCallExpression(table)) return firstTexts(table.arguments[0]!, source);
  if (ts.isIdentifier(table)) return firstTexts(initializerOf(table, source), source);
  if (ts.isObjectLiteralExpression(table)) return table.properties.map(({ name }) => name!.getText());
  if (!ts.isArrayLiteralExpression(table)) throw new Error(`What are the rows of ${table.getText()}?`);
  return table.elements.map((row) => {
    const text = textOf(ts.isArrayLiteralExpression(row) ? row.elements[0] : row);
    if (text === undefined) throw new Error(`What is the name of ${row.getText()}?`);
    return text;
  });
}

/** The nearest one above where it is used. */
function initializerOf(used: ts.Identifier, source: ts.SourceFile): ts.Expression {
  let found: ts.Expression | undefined;
  const visit = (node: ts.Node): void => {
    if (node.pos > used.pos) return;
    if (ts.isVariableDeclaration(node) && node.name.getText() === used.text) found = node.initializer;
    ts.forEachChild(node, visit);
  };
  visit(source);
  if (!found) throw new Error(`Where is ${used.text}?`);
  return found;
}

function textOf(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteralLike(node) ? node.text : undefined;
}
