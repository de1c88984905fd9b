/** Knobs: the numbers by which a solver can be tuned. Each solver has an interface of its own that says what they do. */
import { show } from "../base/errors.js";

/** Whether a configuration must say a knob, or the solver chooses where it does not. */
export type KnobUse = "required" | "optional";

/** The knobs of an interface: one that it has and the list lacks, or the other way round, does not compile. */
export type Knobs<Config> = {
  readonly [Name in keyof Config]-?: Partial<Pick<Config, Name>> extends Pick<Config, Name> ? "optional" : "required";
};

/** A solver without knobs. */
export type NoKnobs = Readonly<Record<string, never>>;

/** Why a configuration is not the solver's, with the knob that is unknown or missing; undefined when it is. */
export function configRefusal(
  { name, knobs }: { readonly name: string; readonly knobs: Readonly<Record<string, KnobUse>> },
  config: Readonly<Record<string, number>>,
): string | undefined {
  const names = Object.keys(knobs);
  const has = `${name} has ${names.join(", ") || "none"}`;
  const unknown = Object.keys(config).find((knob) => !Object.hasOwn(knobs, knob));
  if (unknown !== undefined) return `there is no knob ${show(unknown)}; ${has}`;
  const missing = names.find((knob) => knobs[knob] === "required" && !Object.hasOwn(config, knob));
  return missing === undefined ? undefined : `the knob ${missing} is missing; ${has}`;
}
