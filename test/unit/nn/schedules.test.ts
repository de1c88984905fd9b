/** Learning rates: PyTorch's formulas, what follows what, refusals. */
import { describe, expect, test } from "vitest";
import { constantRate, cosineDecay, inStages, stepDecay, warmUp } from "webgpu-conv/nn";

describe("a schedule", () => {
  test("of steps multiplies by the factor each time", () => {
    const rate = stepDecay({ rate: 0.5, every: 3, factor: 0.5 });
    expect([0, 1, 2, 3, 5, 6, 300].map(rate)).toEqual([0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 2 ** -101]);
    expect(stepDecay({ rate: 1, every: 10 })(10)).toBe(0.1);
  });

  test("of a cosine goes from the rate to the least and stays there", () => {
    const rate = cosineDecay({ rate: 0.3, steps: 8, least: 0.1 });
    for (let step = 0; step <= 8; step++) {
      // torch.optim.lr_scheduler.CosineAnnealingLR's closed form.
      expect(rate(step)).toBeCloseTo(0.1 + (0.2 * (1 + Math.cos((Math.PI * step) / 8))) / 2, 15);
    }
    expect([rate(0), rate(4), rate(8), rate(9), rate(1e9)]).toEqual(
      [0.3, 0.2, 0.1, 0.1, 0.1].map((value) => expect.closeTo(value, 15) as number),
    );
    expect(cosineDecay({ rate: 1, steps: 2 })(2)).toBe(0);
  });

  test("warms up linearly to where the next one begins, which then counts from 0", () => {
    const rate = warmUp(stepDecay({ rate: 8, every: 2, factor: 0.5 }), { steps: 4, start: 0 });
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map(rate)).toEqual([0, 2, 4, 6, 8, 8, 4, 4, 2]);
    expect(warmUp(constantRate(0.3), { steps: 10 })(0)).toBeCloseTo(0.1, 15);
  });

  test("of stages gives each its own steps, and holds the last rate", () => {
    const rate = inStages([
      { schedule: constantRate(3), steps: 2 },
      { schedule: (step) => 10 + step, steps: 3 },
    ]);
    expect([0, 1, 2, 3, 4, 5, 99].map(rate)).toEqual([3, 3, 10, 11, 12, 12, 12]);
    expect(inStages([{ schedule: constantRate(3), steps: 2 }, { schedule: (step) => step }])(12)).toBe(10);
  });

  test("is refused with values that make no sense", () => {
    expect(() => constantRate(-1)).toThrow("rate is -1; expected a number from 0 on");
    expect(() => constantRate(NaN)).toThrow("rate is NaN");
    expect(() => stepDecay({ rate: 1, every: 0 })).toThrow("every is 0; expected an integer of at least 1");
    expect(() => stepDecay({ rate: 1, every: 2, factor: Infinity })).toThrow("factor is Infinity");
    expect(() => stepDecay({ rate: 1, every: 2, gamma: 0.1 } as never)).toThrow("unknown option gamma");
    expect(() => cosineDecay({ rate: 1, steps: 1.5 })).toThrow("steps is 1.5");
    expect(() => cosineDecay({ rate: 1, steps: 5, least: 2 })).toThrow("least is 2; expected at most rate, 1");
    expect(() => warmUp(constantRate(1), { steps: 5, start: 1.1 })).toThrow("start is 1.1; expected a fraction");
    expect(() => warmUp(constantRate(1), 5 as never)).toThrow("{ steps: 5 }");
    expect(() => warmUp(0.1 as never, { steps: 5 })).toThrow(
      "the schedule after the warm-up is 0.1; expected a function",
    );
    expect(() => inStages([])).toThrow("stages is []");
    expect(() => inStages([{ schedule: constantRate(1) }, { schedule: constantRate(1) }])).toThrow(
      "stages[0].steps is undefined; expected an integer of at least 1",
    );
    expect(() => inStages([undefined as never])).toThrow("stages[0] is undefined; expected { schedule, steps }");
  });

  test("is a function of whole steps", () => {
    for (const rate of [constantRate(1), stepDecay({ rate: 1, every: 1 }), cosineDecay({ rate: 1, steps: 1 })]) {
      for (const step of [-1, 0.5, NaN, Infinity])
        expect(() => rate(step)).toThrow(`step is ${String(step)}; expected an integer of at least 0`);
    }
  });
});
