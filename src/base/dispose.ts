/// <reference lib="esnext.disposable" preserve="true" />
// For the published types: a caller's compiler then knows Disposable and `using`, whatever its "lib" is.

/** The key of the method that `using` calls. Browsers that lack it get the key that compilers look for in its place. */
export const DISPOSE: typeof Symbol.dispose =
  (Symbol as Partial<SymbolConstructor>).dispose ?? (Symbol.for("Symbol.dispose") as typeof Symbol.dispose);
