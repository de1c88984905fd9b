/** Which solver a caller asks for. */
import { require, show } from "../base/errors.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";

/** A solver by name, with a configuration if wanted. It runs, or the call throws. */
export type SolverChoice = string | { readonly name: string; readonly config?: Readonly<Record<string, number>> };

/** A choice that is no caller's: where it cannot run, another solver does. */
export interface ReplaceableChoice {
  readonly name: string;
  readonly config: Readonly<Record<string, number>>;
  readonly replaceable: true;
}

export const isReplaceable = (choice: SolverChoice): boolean => typeof choice === "object" && "replaceable" in choice;

const SOLVER_KEYS = optionKeys<Exclude<SolverChoice, string>>({ name: 1, config: 1 });

/** Checks a solver choice. Planning checks whether there is a solver of that name, and the knobs that it has. */
export function readSolver(choice: SolverChoice | undefined, what = "solver"): SolverChoice | undefined {
  if (choice === undefined || typeof choice === "string") return choice;
  require(typeof choice === "object" && (choice as unknown) !== null, () => {
    return `${what} is ${show(choice)}; expected a solver's name, or { name, config }`;
  });
  requireOptions(choice, SOLVER_KEYS, what);
  const { name, config } = choice;
  require(typeof name === "string", () => `${what} has the name ${show(name)}; expected a solver's name`);
  const isRecord = Object.prototype.toString.call(config) === "[object Object]";
  require(config === undefined ||
    (isRecord && Object.values(config).every((value) => typeof value === "number")), () => {
    return `${what} has the config ${show(config)}; expected an object of numbers`;
  });
  return choice;
}
