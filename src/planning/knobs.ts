/** Knobs: the numbers by which a solver is tuned. Each solver has an interface that says what its knobs do. */
import { show } from "../base/errors.js";

/**
 * The knobs of an interface. True: a configuration must set the knob. False: the solver chooses where it is absent. A list that
 * has other names than the interface does not compile.
 */
export type Knobs<Config> = {
  readonly [Name in keyof Config]-?: Partial<Pick<Config, Name>> extends Pick<Config, Name> ? false : true;
};

/** A solver without knobs. */
export type NoKnobs = Readonly<Record<string, never>>;

/** Why a configuration is none of this solver: the knob that is unknown or missing. Undefined where all fit. */
export function configRefusal(
  { name, knobs }: { readonly name: string; readonly knobs: Readonly<Record<string, boolean>> },
  config: Readonly<Record<string, number>>,
): string | undefined {
  const names = Object.keys(knobs);
  const wrong =
    Object.keys(config).find((knob) => !names.includes(knob)) ?? names.find((knob) => knobs[knob] && !(knob in config));
  if (wrong === undefined) return undefined;
  return `the knob ${show(wrong)} is ${wrong in config ? "unknown" : "missing"}; ${name} has ${names.join(", ") || "none"}`;
}
