/**
 * A piece of TypeScript that is laid out as Prettier does it (no semicolons, 80 columns), so that generated files do not
 * change when a project formats them.
 */
export type Node = string | ObjectNode | UnionNode | ArrayNode | TupleNode | IntersectionNode;

interface ObjectNode {
  readonly kind: 'object';
  readonly members: readonly Member[];
  /** Never on one line. */
  readonly expanded: boolean;
}

export interface Member {
  /** Without quotes. */
  readonly name: string;
  readonly optional?: boolean;
  readonly type: Node;
}

interface UnionNode {
  readonly kind: 'union';
  readonly of: readonly Node[];
}

interface ArrayNode {
  readonly kind: 'array';
  readonly of: Node;
}

interface TupleNode {
  readonly kind: 'tuple';
  readonly of: readonly Node[];
}

interface IntersectionNode {
  readonly kind: 'intersection';
  readonly of: ObjectNode;
  readonly and: string;
}

export const object = (members: readonly Member[], expanded = true): ObjectNode => ({
  kind: 'object',
  members,
  expanded,
});
export const tuple = (of: readonly Node[]): TupleNode => ({ kind: 'tuple', of });
export const array = (of: Node): ArrayNode => ({ kind: 'array', of });
export const intersection = (of: ObjectNode, and: string): IntersectionNode => ({
  kind: 'intersection',
  of,
  and,
});

export function union(of: readonly Node[]): Node {
  return of.length === 1 ? of[0]! : { kind: 'union', of };
}

const width = 80;

/** `node` as it is written at `column` of a line that is indented by `indent`. */
export function print(node: Node, indent: number, column: number): string {
  const line = onOneLine(node);
  if (line !== undefined && column + line.length <= width) return line;
  return typeof node === 'string' ? node : printBroken(node, indent);
}

function printBroken(node: Exclude<Node, string>, indent: number): string {
  const margin = ' '.repeat(indent);
  switch (node.kind) {
    case 'object':
      return `{\n${node.members.map((member) => printMember(member, indent + 2)).join('')}${margin}}`;
    case 'union':
      return printUnion(node, indent);
    case 'array':
      return isUnion(node.of)
        ? `(${print(node.of, indent, width)}\n${margin})[]`
        : `${print(node.of, indent, width)}[]`;
    case 'tuple': {
      const elements = node.of.map((element) => `${margin}  ${print(element, indent + 2, indent + 2)},\n`);
      return `[\n${elements.join('')}${margin}]`;
    }
    case 'intersection':
      return `${printBroken(node.of, indent)} & ${node.and}`;
  }
}

/** An object that may be null is written like the object alone. */
function printUnion({ of }: UnionNode, indent: number): string {
  const [first, second] = of;
  if (of.length === 2 && typeof first === 'object' && first.kind === 'object' && second === 'null') {
    return `${printBroken(first, indent)} | null`;
  }
  const margin = ' '.repeat(indent + 2);
  return of.map((member) => `\n${margin}| ${print(member, indent + 4, indent + 4)}`).join('');
}

/** A whole line, indented by `indent`. */
export function printMember({ name, optional, type }: Member, indent: number): string {
  const start = `${' '.repeat(indent)}${propertyName(name)}${optional ? '?' : ''}:`;
  const text = print(type, indent, start.length + 1);
  return `${start}${text.startsWith('\n') ? '' : ' '}${text}\n`;
}

function onOneLine(node: Node): string | undefined {
  if (typeof node === 'string') return node;
  switch (node.kind) {
    case 'object':
      return objectOnOneLine(node);
    case 'union':
      return joined(node.of, ' | ');
    case 'array': {
      const of = onOneLine(node.of);
      return of === undefined ? undefined : isUnion(node.of) ? `(${of})[]` : `${of}[]`;
    }
    case 'tuple': {
      const elements = joined(node.of, ', ');
      return elements === undefined ? undefined : `[${elements}]`;
    }
    case 'intersection':
      return undefined;
  }
}

function objectOnOneLine({ members, expanded }: ObjectNode): string | undefined {
  if (members.length === 0) return '{}';
  if (expanded) return undefined;
  const parts = members.map(({ name, optional, type }) => {
    const line = onOneLine(type);
    return line === undefined ? undefined : `${propertyName(name)}${optional ? '?' : ''}: ${line}`;
  });
  return parts.includes(undefined) ? undefined : `{ ${parts.join('; ')} }`;
}

function joined(nodes: readonly Node[], separator: string): string | undefined {
  const lines = nodes.map(onOneLine);
  return lines.includes(undefined) ? undefined : lines.join(separator);
}

function isUnion(node: Node): boolean {
  return typeof node === 'object' && node.kind === 'union';
}

export function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) || name === anyName ? name : stringLiteral(name);
}

/** The member of an object that has none. */
export const anyName = '[_ in never]';

/** In double quotes unless it has more of those than of single ones. */
export function stringLiteral(text: string): string {
  const json = JSON.stringify(text);
  const count = (quote: string) => text.split(quote).length;
  if (count('"') <= count("'")) return json;
  return `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}
