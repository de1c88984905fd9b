/** Puts what computes values in an order in which each comes after what it reads. */

/**
 * Those that `wanted` needs, themselves included, each once.
 *
 * @param keyOf equal for two that are the same
 * @param loopError what is thrown for one that needs its own result
 */
export function inOrder<Item>(
  wanted: readonly Item[],
  keyOf: (item: Item) => unknown,
  inputsOf: (item: Item) => readonly Item[],
  loopError: (item: Item) => Error,
): Item[] {
  const order: Item[] = [];
  const state = new Map<unknown, "open" | "done">();
  // Without recursion: a file may nest as deep as it likes.
  const stack = [...wanted].reverse().map((item) => ({ item, leaves: false }));
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { item, leaves } = next;
    const key = keyOf(item);
    if (leaves) {
      state.set(key, "done");
      order.push(item);
    } else if (state.get(key) === "open") {
      throw loopError(item);
    } else if (!state.has(key)) {
      state.set(key, "open");
      const inputs = [...inputsOf(item)].reverse().map((input) => ({ item: input, leaves: false }));
      stack.push({ item, leaves: true }, ...inputs);
    }
  }
  return order;
}
