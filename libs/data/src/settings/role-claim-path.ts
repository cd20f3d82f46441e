type Step =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'match'; readonly matches: (text: string) => boolean };

/** Where in a token's claims the role stands. */
export type RoleClaimPath = readonly Step[];

export const defaultRoleClaimPath: RoleClaimPath = [{ kind: 'key', key: 'role' }];

const keyPattern = /\.(?:([\p{L}\p{N}_$@]+)|"([^"]*)")|\[(?:'([^']*)'|"([^"]*)")\]/uy;
const indexPattern = /\[(\d+)\]/y;
const matchPattern = /\[\?\(?@\s*(==\^|==|!=|\^==|\*==)\s*(?:"([^"]*)"|'([^']*)')\)?\]$/y;
const searchPattern = /\[\?\(?search\(@,\s*(?:"([^"]*)"|'([^']*)')\)\)?\]$/y;

/**
 * Parses `$.realm.roles[0]`, `$['https://example.com/role']`, and at the end a filter of a list of texts:
 * `[?(@ == 'author')]`, `[?search(@, '^au')]` (postgrest.org, "JWT Role Extraction"). The form of older versions is
 * understood, too: no `$`, and `!=`, `^==`, `==^`, `*==` in filters.
 * @throws SyntaxError
 */
export function parseRoleClaimPath(text: string): RoleClaimPath {
  const steps: Step[] = [];
  let position = text.startsWith('$') ? 1 : 0;
  while (position < text.length) {
    const found = readStep(text, position);
    if (!found) throw new SyntaxError(`cannot read "${text.slice(position)}"`);
    steps.push(found.step);
    position = found.end;
  }
  if (steps.length === 0) throw new SyntaxError('the path is empty');
  return steps;
}

function readStep(text: string, position: number): { step: Step; end: number } | undefined {
  const at = (pattern: RegExp) => {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    return match && { groups: match.slice(1), end: pattern.lastIndex };
  };
  const key = at(keyPattern);
  if (key) return { step: { kind: 'key', key: firstOf(key.groups) }, end: key.end };
  const index = at(indexPattern);
  if (index) return { step: { kind: 'index', index: Number(index.groups[0]) }, end: index.end };
  const match = at(matchPattern);
  if (match) {
    const [operator, ...texts] = match.groups;
    return { step: { kind: 'match', matches: matcher(operator!, firstOf(texts)) }, end: match.end };
  }
  const search = at(searchPattern);
  if (!search) return undefined;
  const pattern = new RegExp(firstOf(search.groups), 'u');
  return { step: { kind: 'match', matches: (candidate) => pattern.test(candidate) }, end: search.end };
}

function firstOf(groups: readonly (string | undefined)[]): string {
  return groups.find((group) => group !== undefined) ?? '';
}

function matcher(operator: string, text: string): (candidate: string) => boolean {
  switch (operator) {
    case '!=':
      return (candidate) => candidate !== text;
    case '^==':
      return (candidate) => candidate.startsWith(text);
    case '==^':
      return (candidate) => candidate.endsWith(text);
    case '*==':
      return (candidate) => candidate.includes(text);
    default:
      return (candidate) => candidate === text;
  }
}

/** What stands at `path` in `claims`; undefined where nothing does. */
export function valueAt(claims: unknown, path: RoleClaimPath): unknown {
  return path.reduce(follow, claims);
}

function follow(value: unknown, step: Step): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (step.kind === 'key') {
    return Array.isArray(value) || !Object.hasOwn(value, step.key)
      ? undefined
      : (value as Record<string, unknown>)[step.key];
  }
  if (!Array.isArray(value)) return undefined;
  if (step.kind === 'index') return value[step.index];
  return value.find((element) => typeof element === 'string' && step.matches(element));
}
