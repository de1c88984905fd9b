/** Which solver is chosen, and what is said of the others. */
import { describe, expect, test } from "vitest";
import { type ConvOptions, SolverError } from "webgpu-conv";
import { type ConvProblem, makeProblem } from "webgpu-conv/reference";
import { plainOperation } from "../../src/calls/calls.js";
import { type Capabilities, DEFAULT_CAPABILITIES } from "../../src/planning/capabilities.js";
import { type ConvOperation, type Direction, DIRECTIONS } from "../../src/problem/operation.js";
import { select, type Selection, solversFor } from "../../src/solvers/select.js";
import { isRefusal } from "../../src/planning/solver.js";
import { SOLVERS } from "../../src/solvers/list.js";
import { Random } from "../support/data.js";
import { randomOperation } from "../support/randomOperations.js";

const SOFTWARE = { ...DEFAULT_CAPABILITIES, software: true };
const LEAST_LIMITS = { ...DEFAULT_CAPABILITIES.limits, maxComputeInvocationsPerWorkgroup: 64 };

function operationOf(direction: Direction, groups = 1): ConvOperation {
  const problem = makeProblem(2, [2, 64, 28, 28], [64, 64 / groups, 7, 7], { padding: 3, groups });
  return plainOperation(direction, problem, { dtype: "float32" });
}

/** Why a selection passed the solver over. */
const reasonAgainst = (name: string, { passedOver }: Selection): string | undefined =>
  passedOver.find(({ solver }) => solver === name)?.reason;

describe("the list of solvers", () => {
  test.each(DIRECTIONS)("%s ends with a general one, which refuses and discourages nothing", (direction) => {
    const [general] = solversFor(operationOf(direction)).slice(-1);
    expect("discouraged" in general).toBe(false);
    for (let seed = 0; seed < 200; seed++) {
      const operation = { ...randomOperation(new Random(seed)), direction, bias: false };
      const [config] = general.configs(operation, DEFAULT_CAPABILITIES);
      const outcome = general.plan(operation, { ...SOFTWARE, limits: LEAST_LIMITS }, config);
      expect(isRefusal(outcome), `seed ${String(seed)}`).toBe(false);
    }
  });

  test.each(["forward", "inputGradient", "weightGradient"] as const)("%s has a direct one and a GEMM", (direction) => {
    const names = solversFor(operationOf(direction)).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["direct", "implicit-gemm"]));
    expect(new Set(names).size).toBe(names.length);
  });

  test("each solver stands for directions that exist, and has a default to try", () => {
    for (const solver of SOLVERS) {
      for (const direction of solver.directions) {
        expect(DIRECTIONS).toContain(direction);
        expect(solver.configs(operationOf(direction), DEFAULT_CAPABILITIES).length).toBeGreaterThanOrEqual(1);
      }
    }
  });
});

describe("the engine's choice", () => {
  test("on a GPU is the first that takes the operation, and the later ones are told what came first", () => {
    const { plan, passedOver } = select(operationOf("forward"), DEFAULT_CAPABILITIES);
    expect(plan.solver).toBe("implicit-gemm");
    expect(passedOver.slice(3)).toEqual([
      { solver: "vector-tile", reason: "implicit-gemm comes first" },
      { solver: "register-tile", reason: "implicit-gemm comes first" },
      { solver: "direct", reason: "implicit-gemm comes first" },
    ]);
  });

  test.each(["forward", "inputGradient", "weightGradient"] as const)(
    "on a software device passes workgroup memory over in %s, and says why",
    (direction) => {
      const pointwise = makeProblem(2, [2, 64, 12, 12], [32, 64, 1, 1]);
      const selection = select(plainOperation(direction, pointwise, { dtype: "float32" }), SOFTWARE);
      expect(selection.plan.solver).toBe("register-tile");
      expect(reasonAgainst("implicit-gemm", selection)).toBe(
        "the device is software: workgroup memory and barriers cost more there than they save",
      );
    },
  );

  test("passes a tile over that a depthwise layer would leave idle", () => {
    const selection = select(operationOf("weightGradient", 64), DEFAULT_CAPABILITIES);
    expect(selection.plan.solver).toBe("rolling-window");
    const fewChannels = makeProblem(2, [2, 48, 12, 12], [48, 6, 3, 3], { groups: 8 });
    const grouped = select(plainOperation("weightGradient", fewChannels, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    expect(grouped.plan.solver).toBe("register-tile");
    expect(reasonAgainst("rolling-window", grouped)).toBe("6 to 6 channels a group do better in tiles");
    expect(reasonAgainst("strip", grouped)).toBe("6 channels a group do better in tiles");
    expect(reasonAgainst("implicit-gemm", grouped)).toBe(
      "6 channels a group would leave most of a tile idle (fewer than 8)",
    );
  });

  test.each([
    ["64 to 64 channels, 28x28", [2, 64, 28, 28], [64, 64, 3, 3], 4],
    ["256 to 256 channels, 12x12", [1, 256, 14, 14], [256, 256, 3, 3], 2],
    ["256 to 256 channels, 14x14", [1, 256, 14, 14], [256, 256, 3, 3], 2, { padding: 1 }],
    ["64 to 64 channels, 17x17", [1, 64, 17, 17], [64, 64, 3, 3], 4, { padding: 1 }],
    ["128 to 128 channels, 9x9", [1, 128, 9, 9], [128, 128, 3, 3], 2, { padding: 1 }],
    ["64 to 64 channels, 33x33, dilation 12", [1, 64, 33, 33], [64, 64, 3, 3], 4, { padding: 12, dilation: 12 }],
    ["64 to 192 channels, 27x27, 5x5", [1, 64, 27, 27], [192, 64, 5, 5], 2, { padding: 2 }],
  ] as const)("is Winograd's, in tiles as many as there are: %s", (_, input, weight, tile, options?: ConvOptions) => {
    const problem = makeProblem(2, input, weight, options);
    for (const direction of ["forward", "inputGradient"] as const) {
      for (const capabilities of [DEFAULT_CAPABILITIES, SOFTWARE]) {
        const { plan } = select(plainOperation(direction, problem, { dtype: "float32" }), capabilities);
        expect([plan.solver, plan.config]).toEqual(["winograd", { tile }]);
      }
    }
    const half = select(plainOperation("forward", problem, { dtype: "float16" }), DEFAULT_CAPABILITIES);
    if (half.plan.solver === "winograd") expect([weight[3], half.plan.config]).toEqual([3, { tile: 2 }]);
    else expect(reasonAgainst("winograd", half)).toMatch(/float16|hardly filled/);
  });

  test.each([
    ["few channels", [1, 16, 56, 56], [64, 16, 3, 3], {}, /^16 channels a group are too few/],
    ["few tiles", [1, 64, 7, 7], [64, 64, 3, 3], { padding: 1 }, /^16 tiles are too few/],
    ["other filters", [1, 64, 28, 28], [64, 64, 7, 7], {}, /^the filter is 7x7; Winograd takes 3x3 and 5x5$/],
    ["no square", [1, 64, 28, 28], [64, 64, 3, 5], {}, /^the filter is 3x5; Winograd takes 3x3 and 5x5$/],
    ["a stride", [1, 64, 56, 56], [64, 64, 3, 3], { stride: [1, 2] }, /^stride is 1x2; Winograd takes 1$/],
    [
      "a dilation that leaves little of a tile",
      [1, 64, 14, 14],
      [64, 64, 3, 3],
      { dilation: 12, padding: 12 },
      /^its tiles, hardly filled, take 1\.45 times the multiply-adds; at most 0\.85$/,
    ],
    [
      "too much memory",
      [8, 512, 224, 224],
      [512, 512, 3, 3],
      {},
      /^"winograd sources" needs \d+ bytes of scratch memory; the device binds \d+/,
    ],
  ] as const)("is not Winograd's with %s, and says why", (_, input, weight, options, reason) => {
    const operation = plainOperation("forward", makeProblem(2, input, weight, options), { dtype: "float32" });
    expect(reasonAgainst("winograd", select(operation, DEFAULT_CAPABILITIES))).toMatch(reason);
  });

  test("for weight gradients of 3x3 filters is Winograd's too, and not with few tiles", () => {
    const gradientOf = (size: number) => {
      const problem = makeProblem(2, [1, 64, size, size], [64, 64, 3, 3], { padding: 1 });
      return select(plainOperation("weightGradient", problem, { dtype: "float32" }), SOFTWARE);
    };
    expect([gradientOf(28).plan.solver, gradientOf(28).plan.config]).toEqual(["winograd", { tile: 4 }]);
    expect([gradientOf(14).plan.solver, gradientOf(14).plan.config]).toEqual(["winograd", { tile: 2 }]);
    expect(reasonAgainst("winograd", gradientOf(7))).toMatch(
      /^16 tiles are too few to pay for transforming the filters/,
    );
  });

  test("for weight gradients on software devices is rolling windows, where neither Winograd nor one tap is enough", () => {
    const choose = (input: number[], weight: number[], options: ConvOptions = {}, capabilities = SOFTWARE) => {
      const problem = makeProblem(2, input, weight, { padding: 1, ...options });
      const { plan } = select(plainOperation("weightGradient", problem, { dtype: "float32" }), capabilities);
      return [plan.solver, plan.config];
    };
    const wide = { rows: 4, columns: 4 };
    expect(choose([1, 512, 7, 7], [512, 512, 3, 3])).toEqual(["rolling-window", wide]);
    expect(choose([1, 256, 56, 56], [256, 8, 3, 3], { groups: 32 })).toEqual(["rolling-window", wide]);
    expect(choose([1, 16, 56, 56], [64, 16, 5, 5])).toEqual(["rolling-window", { rows: 2, columns: 4 }]);
    expect(choose([1, 144, 56, 56], [144, 1, 3, 3], { groups: 144 })).toEqual([
      "rolling-window",
      { rows: 1, columns: 8 },
    ]);
    // The ends of short lines count: 10 in two blocks of 8, or three of 4.
    expect(choose([1, 144, 10, 10], [144, 1, 3, 3], { groups: 144 })).toEqual([
      "rolling-window",
      { rows: 1, columns: 4 },
    ]);
    for (const [input, weight, options, capabilities] of [
      [
        [1, 64, 56, 56],
        [64, 64, 3, 3],
      ],
      [
        [1, 3, 112, 112],
        [64, 3, 3, 3],
      ],
      [[1, 128, 56, 56], [128, 128, 3, 3], { stride: 2 }],
      [
        [1, 64, 28, 28],
        [64, 64, 1, 1],
      ],
      [[1, 512, 7, 7], [512, 512, 3, 3], {}, DEFAULT_CAPABILITIES],
    ] as [number[], number[], ConvOptions?, Capabilities?][]) {
      expect(choose(input, weight, options, capabilities)[0]).not.toBe("rolling-window");
    }
  });

  test("for first layers of few taps is rolling windows on software devices", () => {
    const choose = (weight: number[], capabilities = SOFTWARE) => {
      const problem = makeProblem(2, [1, weight[1], 112, 112], weight, { padding: 1 });
      const { plan } = select(plainOperation("forward", problem, { dtype: "float32" }), capabilities);
      return [plan.solver, plan.config];
    };
    expect(choose([64, 3, 3, 3])).toEqual(["rolling-window", { rows: 2, columns: 4, lines: 64 }]);
    expect(choose([32, 1, 5, 5])).toEqual(["rolling-window", { rows: 2, columns: 4, lines: 64 }]);
    // More weights would be kept than compile soon.
    expect(choose([32, 3, 7, 7])[0]).toBe("register-tile");
    expect(choose([64, 3, 3, 3], DEFAULT_CAPABILITIES)[0]).toBe("implicit-gemm");
  });

  test("for depthwise layers is rolling windows, which walk less far where there are few threads", () => {
    const many = makeProblem(2, [8, 64, 56, 56], [64, 1, 3, 3], { padding: 1, groups: 64 });
    const choose = (problem: ConvProblem, capabilities = DEFAULT_CAPABILITIES) => {
      const { plan } = select(plainOperation("forward", problem, { dtype: "float32" }), capabilities);
      return [plan.solver, plan.config];
    };
    expect(choose(many)).toEqual(["rolling-window", { rows: 1, columns: 4, lines: 16 }]);
    const uneven = makeProblem(2, [8, 64, 57, 57], [64, 1, 3, 3], { padding: 1, groups: 64 });
    expect(choose(uneven)).toEqual(["rolling-window", { rows: 1, columns: 2, lines: 32 }]);
    expect(choose(many, SOFTWARE)).toEqual(["rolling-window", { rows: 1, columns: 8, lines: 64 }]);
    const few = makeProblem(2, [1, 8, 8, 8], [8, 1, 3, 3], { groups: 8 });
    expect(choose(few)).toEqual(["rolling-window", { rows: 1, columns: 2, lines: 4 }]);
    expect(choose(few, SOFTWARE)).toEqual(["rolling-window", { rows: 1, columns: 2, lines: 4 }]);
  });

  test("is strips where windows have no lines in common, or would hold too much", () => {
    const forward = (weight: readonly number[], options: ConvOptions) => {
      const problem = makeProblem(2, [1, 64, 56, 56], weight, { groups: 64, ...options });
      return select(plainOperation("forward", problem, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    };
    const apart = forward([64, 1, 3, 3], { stride: 3 });
    expect(apart.plan.solver).toBe("strip");
    expect(reasonAgainst("rolling-window", apart)).toBe("windows of 3 lines, 3 apart, have none in common");
    const wide = forward([64, 1, 5, 5], { dilation: 6 });
    expect(wide.plan.solver).toBe("strip");
    expect(reasonAgainst("rolling-window", wide)).toBe("650 sources in a window; at most 96");
    const gradientOf = (weight: readonly number[], options: ConvOptions) => {
      const strided = makeProblem(2, [1, 8, 25, 25], weight, { groups: 8, stride: 2, ...options });
      return select(plainOperation("inputGradient", strided, { dtype: "float32" }), DEFAULT_CAPABILITIES);
    };
    expect(gradientOf([8, 1, 3, 3], {}).plan.solver).toBe("rolling-window");
    const dilated = gradientOf([8, 1, 3, 3], { dilation: 3 });
    expect(dilated.plan.solver).toBe("register-tile");
    expect(reasonAgainst("rolling-window", dilated)).toBe(
      "stride 2x2 with dilation 3x3; windows take input gradients with one of the two",
    );
    expect(reasonAgainst("strip", dilated)).toBe("stride is 2x2; strips take input gradients at stride 1");
  });

  test.each([
    ["a 1x1 layer", [1, 64, 14, 14], [16, 64, 1, 1], {}, undefined],
    ["a strided one, laid out", [1, 64, 15, 15], [16, 64, 1, 1], { stride: 2 }, undefined],
    ["many filters, laid out", [1, 8, 14, 14], [128, 8, 5, 5], {}, undefined],
    ["few filters", [1, 8, 14, 14], [32, 8, 5, 5], {}, /^32 result channels a group use a source too seldom/],
    [
      "few filters whose taps are no neighbours",
      [1, 8, 15, 15],
      [3, 3, 8, 64],
      { stride: 2, weightLayout: "HWIO" },
      /^64 res/,
    ],
    ["channels of which few shares are uneven", [1, 33, 14, 14], [16, 33, 1, 1], {}, undefined],
    ["taps that are shared like channels", [1, 3, 15, 15], [64, 3, 7, 7], { stride: 2 }, undefined],
    ["channels that lanes cannot share", [1, 3, 14, 14], [16, 3, 1, 1], {}, /^where lanes cannot share weights/],
  ] as const)("on a software device with subgroups is vector tiles or not: %s", (_, input, weight, options, reason) => {
    const operation = plainOperation("forward", makeProblem(2, input, weight, options), { dtype: "float32" });
    const selection = select(operation, { ...SOFTWARE, subgroupLanes: 4 });
    if (reason) expect(reasonAgainst("vector-tile", selection)).toMatch(reason);
    else expect([selection.plan.solver, selection.plan.config.shared]).toEqual(["vector-tile", 4]);
    expect(reasonAgainst("vector-tile", select(operation, SOFTWARE))).toMatch(/^where lanes cannot share weights/);
    expect(reasonAgainst("vector-tile", select(operation, DEFAULT_CAPABILITIES))).toMatch(/comes first|^a GPU shares/);
  });

  test("on a software device fills lanes: tiles no wider than the map, strips where a map is tiny", () => {
    const choose = (size: number, weight: readonly number[], options: ConvOptions = {}) => {
      const problem = makeProblem(2, [1, 64, size, size], weight, options);
      const { plan } = select(plainOperation("forward", problem, { dtype: "float32" }), SOFTWARE);
      return [plan.solver, plan.config];
    };
    const wide = { threads: 64, rows: 8, columns: 8 };
    expect(choose(28, [64, 64, 1, 1])).toEqual(["register-tile", wide]);
    expect(choose(8, [64, 64, 3, 3], { stride: 2, padding: 1 })).toEqual(["register-tile", { ...wide, columns: 4 }]);
    expect(choose(3, [64, 64, 3, 3], { padding: 1 })).toEqual(["strip", { rows: 8, columns: 4 }]);
    expect(choose(2, [64, 64, 3, 3], { padding: 1 })).toEqual(["strip", { rows: 8, columns: 2 }]);
    expect(choose(2, [64, 64, 1, 1])).toEqual(["strip", { rows: 8, columns: 2 }]);
  });

  test("is no window that holds a single column, since no larger one is allowed", () => {
    const problem = makeProblem(2, [1, 64, 56, 56], [64, 4, 3, 3], { groups: 16, stride: 2, padding: 1 });
    for (const capabilities of [DEFAULT_CAPABILITIES, SOFTWARE]) {
      const selection = select(plainOperation("forward", problem, { dtype: "float32" }), capabilities);
      expect(selection.plan.solver).toBe("strip");
      expect(reasonAgainst("rolling-window", selection)).toBe("40 sources loaded for a line; at most 32");
    }
  });

  test("passes a solver over that refuses, with its reason", () => {
    const limits = { ...DEFAULT_CAPABILITIES.limits, maxComputeWorkgroupStorageSize: 1024 };
    const selection = select(operationOf("forward"), { ...DEFAULT_CAPABILITIES, limits });
    expect(selection.plan.solver).toBe("register-tile");
    expect(reasonAgainst("implicit-gemm", selection)).toMatch(
      /^the tile needs \d+ bytes of workgroup memory; the device has 1024$/,
    );
  });

  test.each(DIRECTIONS)("accounts for every solver of %s", (direction) => {
    const operation = operationOf(direction);
    const { plan, passedOver } = select(operation, DEFAULT_CAPABILITIES);
    const named = [plan.solver, ...passedOver.map(({ solver }) => solver)];
    expect(named.sort()).toEqual(
      solversFor(operation)
        .map(({ name }) => name)
        .sort(),
    );
  });
});

describe("a solver asked for by name", () => {
  test.each(["implicit-gemm", "vector-tile", "register-tile", "direct"])("%s runs, discouraged or not", (name) => {
    const { plan, passedOver } = select(operationOf("forward", 64), SOFTWARE, name);
    expect(plan.solver).toBe(name);
    expect(passedOver).toHaveLength(6);
    for (const { reason } of passedOver) expect(reason).toBe(`${name} was asked for`);
  });

  test("runs with the tuning constants asked for", () => {
    const config = { threads: 32, rows: 2, columns: 2 };
    const { plan } = select(operationOf("forward"), SOFTWARE, { name: "register-tile", config });
    expect(plan.config).toEqual(config);
    expect(plan.dispatches[0].constants).toMatchObject({ THREADS: 32, ROWS: 2, COLUMNS: 2 });
  });

  test.each([
    [
      { threads: 12, rows: 4, vectors: 1, shared: 8 },
      "threads is 12; expected a multiple of 8, the lanes that share loads",
    ],
    [
      { threads: 12, rows: 4, vectors: 1, shared: 3 },
      "shared is 3; expected a power of two up to 8, the lanes of a subgroup",
    ],
  ])("refuses lanes that share and are not all there: %o", (config, refused) => {
    const lanes = { ...SOFTWARE, subgroupLanes: 8 };
    const choose = (): unknown => select(operationOf("forward"), lanes, { name: "vector-tile", config });
    expect(choose).toThrow(new SolverError(`solver vector-tile refuses: ${refused}`));
  });

  test("refuses partial sums that the device cannot bind", () => {
    const problem = makeProblem(2, [1, 8192, 1, 1], [8192, 8192, 1, 1]);
    const operation = plainOperation("weightGradient", problem, { dtype: "float16" });
    expect(() => select(operation, { ...DEFAULT_CAPABILITIES, shaderF16: true })).toThrow(
      /direct: "partials" needs 268435456 bytes of scratch memory; the device binds 134217728/,
    );
  });

  test("that does not exist throws with those that do", () => {
    const message =
      'there is no solver "fft" for forward; there are rolling-window, strip, winograd, implicit-gemm, vector-tile, register-tile, direct';
    expect(() => select(operationOf("forward"), SOFTWARE, "fft")).toThrow(new SolverError(message));
    expect(() => select(operationOf("biasGradient"), SOFTWARE, "direct")).toThrow(
      new SolverError('there is no solver "direct" for biasGradient; there are channel-sum'),
    );
  });

  test("that refuses throws with its reason, and nothing else takes its place", () => {
    const limits = { ...DEFAULT_CAPABILITIES.limits, maxComputeInvocationsPerWorkgroup: 32 };
    expect(() => select(operationOf("forward"), { ...DEFAULT_CAPABILITIES, limits }, "implicit-gemm")).toThrow(
      SolverError,
    );
    expect(() => select(operationOf("forward"), { ...DEFAULT_CAPABILITIES, limits }, "implicit-gemm")).toThrow(
      /^solver implicit-gemm refuses: the tile needs \d+ threads in a workgroup; the device has at most 32$/,
    );
  });

  test("refuses a tile that does not divide among its threads", () => {
    const config = { threadsX: 8, threadsY: 8, rows: 4, vectors: 1, tileDepth: 6 };
    expect(() => select(operationOf("forward"), DEFAULT_CAPABILITIES, { name: "implicit-gemm", config })).toThrow(
      "solver implicit-gemm refuses: a tile of 32 x 32 x 6 does not divide evenly among 64 threads",
    );
  });

  test.each([
    ["register-tile", { rows: 2 }],
    ["register-tile", { threads: 64, rows: 0, columns: 4 }],
    ["register-tile", { threads: 64, rows: 1.5, columns: 4 }],
    ["register-tile", { threads: 4096, rows: 4, columns: 1 }],
    ["implicit-gemm", { threadsX: 8 }],
  ])("%s with tuning constants that cannot work, %o, throws", (name, config) => {
    expect(() => select(operationOf("forward"), DEFAULT_CAPABILITIES, { name, config })).toThrow(SolverError);
  });
});
