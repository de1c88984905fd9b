/** Which seeds a property test runs: all by default, one that failed, or as many as are asked for. */

function environmentInteger(name: string, text: string, fallback: number): number {
  if (text === "") return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is "${text}"; expected a whole number`);
  return value;
}

/** `CONV_SEED` alone: that seed and no other. `CONV_COUNT`: so many, from `CONV_SEED` or 1 on. */
export function seedsToRun(defaultCount: number): number[] {
  const first = environmentInteger("CONV_SEED", __CONV_SEED__, 1);
  const count = environmentInteger("CONV_COUNT", __CONV_COUNT__, __CONV_SEED__ === "" ? defaultCount : 1);
  return Array.from({ length: count }, (_, i) => first + i);
}
