/**
 * Whether `pattern` names the path: `*` stands for anything within one folder's or file's name, `?` for one character of
 * it, `**` between slashes for any folders, also none. A pattern cannot be made to take long.
 */
export function matchesGlob(path: string, pattern: string): boolean {
  return matchesSequence(path.split('/'), pattern.split('/'), '**', (name, part) =>
    matchesSequence([...name], [...part], '*', (character, sign) => sign === '?' || sign === character),
  );
}

/**
 * Only the last `wild` is ever given more to stand for: the earlier ones leave the most to what follows when they take
 * the least.
 */
function matchesSequence(
  items: readonly string[],
  pattern: readonly string[],
  wild: string,
  matches: (item: string, part: string) => boolean,
): boolean {
  let item = 0;
  let part = 0;
  let last: { item: number; part: number } | null = null;
  while (item < items.length) {
    if (pattern[part] === wild) {
      part += 1;
      last = { item, part };
    } else if (part < pattern.length && matches(items[item]!, pattern[part]!)) {
      item += 1;
      part += 1;
    } else if (last) {
      last.item += 1;
      ({ item, part } = last);
    } else return false;
  }
  return pattern.slice(part).every((rest) => rest === wild);
}
