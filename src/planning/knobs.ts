/** Knobs: the numbers by which a solver can be tuned. Each solver has an interface of its own that says what they do. */
import { show } from "../base/errors.js";

/**
 * The knobs of an interface, and whether a configuration must say each: true, or the solver chooses where it does not. A knob
 * that the interface has and the list lacks, or the other way round, does not compile.
 */
export type Knobs<Config> = {
  readonly [Name in keyof Config]-?: Partial<Pick<Config, Name>> extends Pick<Config, Name> ? false : true;
};

/** A solver without knobs. */
export type NoKnobs = Readonly<Record<string, never>>;

/** Why a configuration is not the solver's, with the knob that is unknown or missing; undefined when it is. */
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
