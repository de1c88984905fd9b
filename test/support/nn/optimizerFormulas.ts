/**
 * Optimizers in float64 by the formulas of PyTorch's documentation (torch.optim.SGD, Adam, AdamW), line for line, on plain arrays.
 * They share nothing with the library.
 */
type Values = Float64Array<ArrayBuffer>;

export interface Formula {
  /** The parameter after step t, from 1 on. */
  step(parameter: Values, gradient: Values, lr: number, t: number): Values;
}

export interface SgdFormula {
  readonly momentum?: number;
  readonly dampening?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

export function sgdFormula({ momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 }: SgdFormula): Formula {
  let b: Values | undefined;
  return {
    step(theta, gradient, lr, t) {
      let g = gradient.map((value, i) => value + weightDecay * theta[i]);
      if (momentum !== 0) {
        const before = b;
        b = before && t > 1 ? before.map((value, i) => momentum * value + (1 - dampening) * g[i]) : g;
        const now = b;
        g = nesterov ? g.map((value, i) => value + momentum * now[i]) : now;
      }
      return theta.map((value, i) => value - lr * g[i]);
    },
  };
}

export interface AdamFormula {
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
  readonly amsgrad?: boolean;
  readonly decoupled: boolean;
}

export function adamFormula({
  betas: [beta1, beta2] = [0.9, 0.999],
  eps = 1e-8,
  weightDecay = 0,
  amsgrad = false,
  decoupled,
}: AdamFormula): Formula {
  let m: Values | undefined;
  let v: Values | undefined;
  let largest: Values | undefined;
  return {
    step(before, gradient, lr, t) {
      const theta = decoupled ? before.map((value) => value - lr * weightDecay * value) : before;
      const g = decoupled ? gradient : gradient.map((value, i) => value + weightDecay * theta[i]);
      const [m0, v0] = [m ?? new Float64Array(g.length), v ?? new Float64Array(g.length)];
      const means = m0.map((value, i) => beta1 * value + (1 - beta1) * g[i]);
      const squares = v0.map((value, i) => beta2 * value + (1 - beta2) * g[i] ** 2);
      m = means;
      v = squares;
      const most0 = largest ?? new Float64Array(g.length);
      largest = most0.map((value, i) => Math.max(value, squares[i]));
      const taken = amsgrad ? largest : squares;
      return theta.map((value, i) => {
        const mHat = means[i] / (1 - beta1 ** t);
        const vHat = taken[i] / (1 - beta2 ** t);
        return value - (lr * mHat) / (Math.sqrt(vHat) + eps);
      });
    },
  };
}
