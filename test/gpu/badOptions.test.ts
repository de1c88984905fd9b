/** Options that a call does not take are refused, and what was meant is named; those that it takes are honoured. */
import { expect } from "vitest";
import {
  ArgumentError,
  type BackwardOptions,
  createEngine,
  type Engine,
  SolverError,
  type Tensor,
  type TensorError,
} from "webgpu-conv";
import { type BadCall, badCall, testRefusals, wrong } from "../support/badCall.js";
import { gpuTest } from "../support/gpuTest.js";

type Call = BadCall["call"];
type Tensors = Parameters<Call>[1];

const DW = [6, 4, 3, 3];
const DX = [1, 4, 5, 5];

/** Every method that takes options, with options in the last place. */
const METHODS: Readonly<Record<string, (engine: Engine, tensors: Tensors, options: never) => unknown>> = {
  conv2d: (engine, { x, w }, options) => engine.conv2d(x, w, options),
  conv1d: (engine, _, options) => {
    using x = engine.tensor([1, 2, 3], [1, 1, 3]);
    return engine.conv1d(x, x, options);
  },
  conv3d: (engine, _, options) => {
    using x = engine.tensor([1, 2, 3], [1, 1, 3, 1, 1]);
    return engine.conv3d(x, x, options);
  },
  conv2dInputGradient: (engine, { dy, w }, options) => engine.conv2dInputGradient(dy, w, DX, options),
  conv2dWeightGradient: (engine, { dy, x }, options) => engine.conv2dWeightGradient(dy, x, DW, options),
  conv2dBiasGradient: (engine, { dy }, options) => engine.conv2dBiasGradient(dy, options),
  conv2dBackward: (engine, { dy, x, w }, options) => engine.conv2dBackward(dy, x, w, options),
  convTranspose2d: (engine, { dy, w }, options) => engine.convTranspose2d(dy, w, options),
  convTranspose2dInputGradient: (engine, { dy, x, w }, options) =>
    engine.convTranspose2dInputGradient(x, w, dy.shape, options),
  convTranspose2dWeightGradient: (engine, { dy, x, w }, options) =>
    engine.convTranspose2dWeightGradient(x, dy, w.shape, options),
  locallyConnected2d: (engine, { x, w }, options) => engine.locallyConnected2d(x, w, options),
  locallyConnected2dInputGradient: (engine, { dy, w }, options) =>
    engine.locallyConnected2dInputGradient(dy, w, DX, options),
  locallyConnected2dWeightGradient: (engine, { dy, x }, options) =>
    engine.locallyConnected2dWeightGradient(dy, x, DW, options),
  activationGradient: (engine, { dy }, options) => engine.activationGradient(dy, options),
  tensor: (engine, _, options) => engine.tensor([1], [1], options),
  wrap: (engine, _, options) => engine.wrap(wrong({}), [1], options),
  image: (engine, _, options) => engine.image(wrong({ data: new Uint8ClampedArray(4), width: 1, height: 1 }), options),
  explain: (engine, _, options) => engine.explain("conv2d", { input: DX, weight: DW }, options),
};

const EVERYWHERE: readonly BadCall[] = Object.entries(METHODS).flatMap(([name, call]) => [
  badCall(`${name}, an unknown key`, ArgumentError, [/unknown option zebra: expected any of/], (engine, tensors) =>
    call(engine, tensors, wrong({ zebra: 1 })),
  ),
  badCall(`${name}, null`, ArgumentError, [/options is null; expected an object/], (engine, tensors) =>
    call(engine, tensors, wrong(null)),
  ),
  badCall(`${name}, a tensor`, ArgumentError, [/options is Tensor; expected an object/], (engine, tensors) =>
    call(engine, tensors, wrong(tensors.x)),
  ),
  badCall(`${name}, a map`, ArgumentError, [/options is Map; expected an object/], (engine, tensors) =>
    call(engine, tensors, wrong(new Map())),
  ),
]);

const bad = (
  name: string,
  says: RegExp,
  call: Call,
  error: typeof ArgumentError | typeof TensorError = ArgumentError,
) => badCall(name, error, [says], call);

const OTHER_LIBRARIES: readonly BadCall[] = [
  bad("conv2d(x, w, bias)", /a bias goes into options: \{ bias \}/, (engine, { x, w }) =>
    engine.conv2d(x, w, wrong(w)),
  ),
  bad("conv2d(x, w, 2)", /options is 2; expected an object: \{ stride: 2 \}/, (engine, { x, w }) =>
    engine.conv2d(x, w, wrong(2)),
  ),
  bad('tensor(values, shape, "float16")', /: \{ dtype: "float16" \}/, (engine) =>
    engine.tensor([1], [1], wrong("float16")),
  ),
  bad("tf.js' strides", /strides: did you mean stride\?/, (engine, { x, w }) =>
    engine.conv2d(x, w, wrong({ strides: 2 })),
  ),
  bad("ONNX' pads", /pads: did you mean padding\?/, (engine, { x, w }) => engine.conv2d(x, w, wrong({ pads: 1 }))),
  bad("pad", /pad: did you mean padding\?/, (engine, { x, w }) => engine.conv2d(x, w, wrong({ pad: "same" }))),
  bad("dilations", /dilations: did you mean dilation\?/, (engine, { x, w }) =>
    engine.conv2d(x, w, wrong({ dilations: 2 })),
  ),
  bad("group", /group: did you mean groups\?/, (engine, { x, w }) => engine.conv2d(x, w, wrong({ group: 2 }))),
  bad("dataFormat", /dataFormat: did you mean layout\?/, (engine, { x, w }) =>
    engine.conv2d(x, w, wrong({ dataFormat: "NHWC" })),
  ),
];

const OUT_OF_PLACE: readonly BadCall[] = [
  bad("options in the place of a shape", /shape is Object; .*; options come after it/, (engine) =>
    engine.tensor([1], wrong({ dtype: "float16" })),
  ),
  bad("a tensor in the place of an input's shape", /input has shape Tensor; .*; say x\.shape/, (engine, { dy, w, x }) =>
    engine.conv2dInputGradient(dy, w, wrong(x)),
  ),
  bad(
    "a tensor in the place of a weight's shape",
    /weight has shape Tensor; .*; say x\.shape/,
    (engine, { dy, w, x }) => engine.conv2dWeightGradient(dy, x, wrong(w)),
  ),
  bad("an output in the place of options", /: an output goes into options: \{ output \}/, (engine, { dy, w, x }) =>
    engine.conv2dBackward(dy, x, w, wrong(dy)),
  ),
];

const HONOURED_OR_REFUSED: readonly BadCall[] = [
  bad("a bias of a gradient", /bias: it belongs to the forward pass/, (engine, { dy, w }) =>
    engine.conv2dInputGradient(dy, w, DX, wrong({ bias: w })),
  ),
  bad("outputPadding of a convolution", /outputPadding: it belongs to transposed/, (engine, { x, w }) =>
    engine.conv2d(x, w, wrong({ outputPadding: 1 })),
  ),
  bad("the output of a forward pass", /output: it belongs to the gradients/, (engine, { x, w }) =>
    engine.conv2d(x, w, wrong({ output: x })),
  ),
  bad("a tuning constant that the solver lacks", /direct's config, mPerThread/, (engine, { x, w }) =>
    engine.conv2d(x, w, { solver: { name: "direct", config: { mPerThread: 4 } } }),
  ),
  bad("outputSize of a plan", /outputSize: it belongs to transposed/, (engine) =>
    engine.explain("conv2d", { input: DX, weight: DW }, { outputSize: [3, 3] }),
  ),
  bad("a plan's bias of another length", /bias has shape \[1, 4, 5, 5\]; expected \[6\]/, (engine, { x }) =>
    engine.explain("conv2d", { input: DX, weight: DW }, { bias: x }),
  ),
  bad("a plan's image that is none", /image is a tensor of values/, (engine, { x }) =>
    engine.explain("conv2d", { input: DX, weight: DW }, { image: x }),
  ),
  bad("shapes of a plan by other names", /unknown key of shapes, x/, (engine) =>
    engine.explain("conv2d", wrong({ input: DX, weight: DW, x: DX })),
  ),
  ...[{ solver: "fft" }, { solver: { input: "fft" } }, { solver: { weight: "fft" } }].map((options) =>
    badCall(
      `a backward pass by ${JSON.stringify(options.solver)}`,
      SolverError,
      [/"fft"/, /register-tile, direct/],
      (engine, { dy, x, w }) => engine.conv2dBackward(dy, x, w, options),
    ),
  ),
  badCall(
    "a backward pass by a solver that one kernel has",
    SolverError,
    [/"vector-tile" for weightGradient/],
    (engine, { dy, x, w }) => engine.conv2dBackward(dy, x, w, { solver: "vector-tile" }),
  ),
];

testRefusals({
  everywhere: EVERYWHERE,
  "other libraries' names": OTHER_LIBRARIES,
  "out of place": OUT_OF_PLACE,
  "honoured or refused": HONOURED_OR_REFUSED,
});

/** The sums of all gradients of ones. */
async function backward(engine: Engine, options: BackwardOptions): Promise<number[][]> {
  using x = engine.tensor(new Float32Array(100).fill(1), DX);
  using w = engine.tensor(new Float32Array(216).fill(1), DW);
  using dy = engine.tensor(new Float32Array(54).fill(1), [1, 6, 3, 3]);
  const { input, weight, bias } = engine.conv2dBackward(dy, x, w, options);
  const take = async (tensor: Tensor): Promise<number[]> => {
    const values = tensor.data();
    tensor.dispose();
    return [...(await values)];
  };
  return await Promise.all([input, weight, bias].map(take));
}

gpuTest("a backward pass runs by the solvers that it is told", async ({ engine }) => {
  const chosen = await backward(engine, {});
  expect(chosen[2]).toEqual(new Array(6).fill(9));
  for (const solver of ["direct", "register-tile", { input: "direct" }, { input: "vector-tile", weight: "direct" }]) {
    expect(await backward(engine, { solver })).toEqual(chosen);
  }
});

gpuTest("the CPU's backward pass too", async () => {
  using engine = await createEngine({ backend: "cpu" });
  const chosen = await backward(engine, {});
  expect(await backward(engine, { solver: "reference" })).toEqual(chosen);
  await expect(backward(engine, { solver: { weight: "direct" } })).rejects.toThrow(SolverError);
  const { liveTensors } = engine.memory();
  expect(liveTensors).toBe(0);
});
