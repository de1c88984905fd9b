/** The key of the method that `using` calls: in browsers that have none yet, what compilers look for in its place. */
export const DISPOSE: typeof Symbol.dispose =
  (Symbol as Partial<SymbolConstructor>).dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
