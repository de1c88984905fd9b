/** Choices of one item of each of several lists: tiles are choices of a part along each axis. */

/** Each choice of one item of each list. */
export function combinationsOf<Item>(lists: readonly (readonly Item[])[]): readonly (readonly Item[])[] {
  let all: readonly (readonly Item[])[] = [[]];
  for (const list of lists) all = all.flatMap((items) => list.map((item) => [...items, item]));
  return all;
}

/** One of them, counted as `combinationsOf` lists them: the last list's items change fastest. */
export function combinationAt<Item>(lists: readonly (readonly Item[])[], index: number): readonly Item[] {
  let rest = index;
  const items: Item[] = [];
  for (const list of [...lists].reverse()) {
    items.unshift(list[rest % list.length]);
    rest = Math.floor(rest / list.length);
  }
  return items;
}
