/** Does `work` for each item, two at a time: as many as a server builds at once. @returns the results in the items' order */
export function twoAtOnce<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result>[] {
  const results: Promise<Result>[] = [];
  for (const [index, item] of items.entries()) {
    const before = results[index - 2] ?? Promise.resolve();
    const begin = () => work(item);
    const result = before.then(begin, begin);
    // Who reads the results may stop at the first that failed.
    result.catch(() => {});
    results.push(result);
  }
  return results;
}
