/// <reference lib="esnext.disposable" preserve="true" />
// For the published types: a caller's compiler then knows Disposable and `using`, whatever "lib" it was given.

/** The key of the method that `using` calls: in browsers that have none yet, what compilers look for in its place. */
export const DISPOSE: typeof Symbol.dispose =
  (Symbol as Partial<SymbolConstructor>).dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
