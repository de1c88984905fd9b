/** What tells platforms apart. */

/** What is read of `globalThis`. */
export interface Globals {
  readonly navigator?: { readonly gpu?: unknown };
  readonly isSecureContext?: boolean;
  readonly Deno?: unknown;
  readonly process?: { readonly versions?: { readonly node?: string; readonly electron?: string } };
}

/** Whether this is Deno, which has a `process` too. */
export const isDeno = ({ Deno }: Globals): boolean => Deno !== undefined;
