/** Options of optimizers, checked. */
import { require, show } from "../../base/errors.js";
import { isList } from "../../base/list.js";
import { requireFinite, requireLimit, requireNumber } from "../../base/numbers.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import type { NormRule, Rule } from "./rule.js";

/** What every optimizer takes. */
export interface OptimizerOptions {
  /** The learning rate of the first steps; `optimizer.lr` sets that of later ones. */
  readonly lr: number;
  /** Names of parameters that stay as they are: each a parameter, or what stands before a dot in the names of several. */
  readonly frozen?: readonly string[] | undefined;
  /** Likewise of parameters without weight decay: biases and norms, say. */
  readonly undecayed?: readonly string[] | undefined;
  /**
   * Gradients whose norm (2-norm of all elements of all gradients) is larger are scaled down to it:
   * `min(1, clipNorm / (norm + 1e-6))`, as `torch.nn.utils.clip_grad_norm_`. Never when absent.
   */
  readonly clipNorm?: number | undefined;
  /** Whether a step is left out whose gradients have an infinite or NaN norm. False when absent. */
  readonly skipNonFinite?: boolean | undefined;
}
type SharedOptions = Omit<OptimizerOptions, "lr">;
const SHARED = { lr: 1, frozen: 1, undecayed: 1, clipNorm: 1, skipNonFinite: 1 } as const;

export interface SgdOptions extends OptimizerOptions {
  /** 0 when absent. */
  readonly momentum?: number | undefined;
  /** 0 when absent. */
  readonly dampening?: number | undefined;
  /** False when absent. */
  readonly nesterov?: boolean | undefined;
  /** Added to gradients as `weightDecay` times the parameter; 0 when absent. */
  readonly weightDecay?: number | undefined;
}
const SGD_KEYS = optionKeys<SgdOptions>(
  { ...SHARED, momentum: 1, dampening: 1, nesterov: 1, weightDecay: 1 },
  { number: "lr" },
);

export interface AdamOptions extends Omit<OptimizerOptions, "lr"> {
  /** 1e-3 when absent. */
  readonly lr?: number | undefined;
  /** [0.9, 0.999] when absent. */
  readonly betas?: readonly [number, number] | undefined;
  /** 1e-8 when absent. */
  readonly eps?: number | undefined;
  /** Of Adam: added to gradients as `weightDecay` times the parameter; 0 when absent. Of AdamW: apart from them; 0.01 when absent. */
  readonly weightDecay?: number | undefined;
  /** Whether the largest second moment so far is taken. False when absent. */
  readonly amsgrad?: boolean | undefined;
}
const ADAM_KEYS = optionKeys<AdamOptions>(
  { ...SHARED, betas: 1, eps: 1, weightDecay: 1, amsgrad: 1 },
  { number: "lr" },
);

/** Options as an optimizer works with them. */
export interface Settings {
  readonly rule: Rule & NormRule;
  readonly lr: number;
  readonly weightDecay: number;
  readonly frozen: readonly string[];
  readonly undecayed: readonly string[];
}

export function readSgd(options: SgdOptions): Settings {
  requireOptions(options, SGD_KEYS);
  const { momentum = 0, dampening = 0, nesterov = false, weightDecay = 0, lr } = options;
  requireNumber("momentum", momentum);
  requireFinite("dampening", dampening);
  requireBoolean("nesterov", nesterov);
  require(!nesterov || (momentum > 0 && dampening === 0), () => {
    return `nesterov is true, momentum ${show(momentum)} and dampening ${show(dampening)}; expected a momentum above 0 and no dampening`;
  });
  const sections = momentum > 0 ? ["momentumBuffer"] : [];
  const rule = { name: "sgd", sections, momentum, dampening, nesterov, betas: [0, 0], eps: 0, amsgrad: false } as const;
  return { ...readShared(options, lr, weightDecay), rule: { ...rule, ...readNormRule(options) } };
}

export function readAdam(options: AdamOptions, name: "adam" | "adamw"): Settings {
  requireOptions(options, ADAM_KEYS);
  const { betas = [0.9, 0.999], eps = 1e-8, amsgrad = false, lr = 1e-3 } = options;
  const { weightDecay = name === "adamw" ? 0.01 : 0 } = options;
  const list: readonly number[] = isList(betas) ? betas : [];
  require(list.length === 2 && list.every((beta) => beta >= 0 && beta < 1), () => {
    return `betas is ${show(betas)}; expected two numbers from 0 to below 1`;
  });
  requireNumber("eps", eps);
  requireBoolean("amsgrad", amsgrad);
  const sections = ["expAvg", "expAvgSq", ...(amsgrad ? ["maxExpAvgSq"] : [])];
  const rule = { name, sections, momentum: 0, dampening: 0, nesterov: false, betas, eps, amsgrad } as const;
  return { ...readShared(options, lr, weightDecay), rule: { ...rule, ...readNormRule(options) } };
}

function readShared(
  { frozen = [], undecayed = [] }: SharedOptions,
  lr: number,
  weightDecay: number,
): Omit<Settings, "rule"> {
  requireNumber("lr", lr);
  requireNumber("weightDecay", weightDecay);
  for (const [name, list] of Object.entries({ frozen, undecayed })) {
    require(isList(list), () => `${name} is ${show(list)}; expected a list of parameters' names`);
  }
  return { lr, weightDecay, frozen, undecayed };
}

function readNormRule({ clipNorm, skipNonFinite = false }: SharedOptions): NormRule {
  if (clipNorm !== undefined) requireLimit("clipNorm", clipNorm);
  requireBoolean("skipNonFinite", skipNonFinite);
  return { clipNorm, skipNonFinite };
}

function requireBoolean(name: string, value: boolean): void {
  require(typeof value === "boolean", () => `${name} is ${show(value)}; expected a boolean`);
}
