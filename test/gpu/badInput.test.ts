/** Bad input throws a typed error from the call itself, with the rule and the values; all else goes on working. */
import { ArgumentError, LimitError, SolverError, TensorError } from "webgpu-conv";
import { type BadCall, badCall, badConv, testRefusals, wrong } from "../support/badCall.js";

const HYPERPARAMETERS: readonly BadCall[] = [
  badConv("stride 0", { stride: 0 }, /stride is 0/, /integer of at least 1/),
  badConv("stride -1", { stride: -1 }, /stride is -1/, /at least 1/),
  badConv("fractional stride", { stride: [1, 1.5] }, /stride is \[1, 1\.5\]/, /integer/),
  badConv("stride for three axes", { stride: [1, 1, 1] }, /stride is \[1, 1, 1\]/, /2 of them/),
  badConv("stride as text", { stride: wrong("2") }, /stride is "2"/, /integer/),
  badConv("dilation 0", { dilation: 0 }, /dilation is 0/, /at least 1/),
  badConv("fractional dilation", { dilation: 0.5 }, /dilation is 0\.5/, /integer/),
  badConv("NaN dilation", { dilation: NaN }, /dilation is NaN/, /integer/),
  badConv("groups 0", { groups: 0 }, /groups is 0/, /at least 1/),
  badConv("fractional groups", { groups: 1.5 }, /groups is 1\.5/, /integer/),
  badConv("groups that do not divide the input", { groups: 3 }, /4 channels/, /multiple of groups = 3/),
  badConv("groups for which the weight is too deep", { groups: 2 }, /weight has 4 input/, /4 \/ 2 groups = 2/),
  badConv("negative padding", { padding: -1 }, /padding is -1/, /at least 0/),
  badConv("fractional padding", { padding: 0.5 }, /padding is 0\.5/, /integer/),
  badConv("padding for one axis", { padding: [1] }, /padding is \[1\]/, /2 of them/),
  badConv(
    "padding of three values a side",
    {
      padding: wrong([
        [1, 1, 1],
        [0, 0, 0],
      ]),
    },
    /\[1, 1, 1\]/,
    /pairs/,
  ),
  badConv(
    "cropping more than there is",
    {
      padding: [
        [-6, 9],
        [0, 0],
      ],
    },
    /\[-6, 9\]/,
    /padding/,
  ),
  badConv("padding by an unknown name", { padding: wrong("full") }, /"full"/, /"valid", "same" or "same-lower"/),
  badConv("null padding", { padding: wrong(null) }, /padding is null/, /"valid"/),
  badConv("an empty output", { dilation: 3 }, /empty along height/, /input 5/, /3 \* \(kernel 3 - 1\) \+ 1 = 7/),
  badConv("an unknown activation", { activation: wrong("swoosh") }, /"swoosh"/, /"none", "relu"/),
  { ...badConv("an unknown solver", { solver: "fft" }, /"fft"/, /register-tile, direct/), error: SolverError },
  {
    ...badConv(
      "a solver with a tile that no device has",
      {
        solver: {
          name: "implicit-gemm",
          config: { threadsN: 512, threadsM: 512, mPerThread: 4, vectorsPerThread: 1, tileK: 8 },
        },
      },
      /262144 threads/,
      /at most \d+/,
    ),
    error: SolverError,
  },
  {
    ...badConv(
      "a solver with constants that it lacks",
      { solver: { name: "register-tile", config: {} } },
      /register-tile/,
    ),
    error: SolverError,
  },
];

const GRADIENTS: readonly BadCall[] = [
  badCall(
    "dy of another shape",
    ArgumentError,
    [/dy has shape \[1, 6, 3, 3\]/, /\[1, 6, 5, 5\]/],
    (engine, { dy, w }) => engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { padding: 1 }),
  ),
  badCall("an input shape of rank 2", ArgumentError, [/\[5, 5\]/, /4 dimensions/], (engine, { dy, w }) =>
    engine.conv2dInputGradient(dy, w, [5, 5]),
  ),
  badCall("a weight shape with a zero", ArgumentError, [/\[6, 4, 0, 3\]/, /at least 1/], (engine, { dy, x }) =>
    engine.conv2dWeightGradient(dy, x, [6, 4, 0, 3]),
  ),
  badCall("a weight shape of other channels", ArgumentError, [/weight has 3 input/, /4 \/ 1/], (engine, { dy, x }) =>
    engine.conv2dWeightGradient(dy, x, [6, 3, 3, 3]),
  ),
  badCall("relu without the output", ArgumentError, [/"relu"/, /options\.output/, /none/], (engine, { dy, x }) =>
    engine.conv2dWeightGradient(dy, x, [6, 4, 3, 3], { activation: "relu" }),
  ),
  badCall(
    "an output of another shape",
    ArgumentError,
    [/output has shape \[1, 4, 5, 5\]/, /\[1, 6, 3, 3\]/],
    (engine, { dy, x, w }) => engine.conv2dBackward(dy, x, w, { activation: "relu", output: x }),
  ),
  badCall("a bias gradient of rank 1", ArgumentError, [/dy has shape \[6\]/, /4 dimensions/], (engine) => {
    using flat = engine.tensor([1, 2, 3, 4, 5, 6], [6]);
    return engine.conv2dBiasGradient(flat);
  }),
  badCall("a solver of another direction", SolverError, [/"channel-sum"/, /inputGradient/], (engine, { dy, w }) =>
    engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { solver: "channel-sum" }),
  ),
];

const TENSORS: readonly BadCall[] = [
  badCall("data too short", ArgumentError, [/3 values/, /2 \* 2 = 4/], (engine) => engine.tensor([1, 2, 3], [2, 2])),
  badCall("data too long", ArgumentError, [/5 values/, /2 \* 2 = 4/], (engine) =>
    engine.tensor(new Float32Array(5), [2, 2]),
  ),
  badCall("no data", ArgumentError, [/undefined/, /array of numbers/], (engine) =>
    engine.tensor(wrong(undefined), [1]),
  ),
  badCall("a shape with a zero", ArgumentError, [/\[2, 0\]/, /at least 1/], (engine) => engine.tensor([], [2, 0])),
  badCall("a fractional shape", ArgumentError, [/\[1\.5\]/, /integer/], (engine) => engine.tensor([1], [1.5])),
  badCall("an empty shape", ArgumentError, [/\[\]/, /at least one dimension/], (engine) => engine.tensor([1], [])),
  badCall("a shape that is no list", ArgumentError, [/shape is 4/, /list/], (engine) => engine.tensor([1], wrong(4))),
  badCall(
    "an input of rank 2",
    ArgumentError,
    [/input has shape \[20, 5\]/, /4 dimensions \[N, C, H, W\]/],
    (engine, { w }) => {
      using flat = engine.tensor(new Float32Array(100), [20, 5]);
      return engine.conv2d(flat, w);
    },
  ),
  badCall("a weight of rank 2", ArgumentError, [/weight has shape \[2, 2\]/, /4 dimensions/], (engine, { x }) => {
    using flat = engine.tensor([1, 2, 3, 4], [2, 2]);
    return engine.conv2d(x, flat);
  }),
  badCall(
    "a weight of other channels",
    ArgumentError,
    [/weight has 6 input/, /4 \/ 1 groups = 4/],
    (engine, { x, dy }) => engine.conv2d(x, dy),
  ),
  badCall("a bias of another length", ArgumentError, [/bias has shape \[2\]/, /\[6\]/], (engine, { x, w }) => {
    using bias = engine.tensor([1, 2], [2]);
    return engine.conv2d(x, w, { bias });
  }),
  badCall("an array for a tensor", ArgumentError, [/x is \[1, 2\]/, /engine\.tensor/], (engine, { w }) =>
    engine.conv2d(wrong([1, 2]), w),
  ),
  badCall("nothing for a tensor", ArgumentError, [/dy is undefined/, /engine\.tensor/], (engine) =>
    engine.conv2dBiasGradient(wrong(undefined)),
  ),
  badCall("a disposed tensor", TensorError, [/w of shape \[1, 4, 3, 3\]/, /disposed/], (engine, { x }) => {
    const gone = engine.tensor(new Float32Array(36), [1, 4, 3, 3]);
    gone.dispose();
    return engine.conv2d(x, gone);
  }),
  badCall("an unknown operation to explain", ArgumentError, [/"conv4d"/, /conv2d/], (engine) =>
    engine.explain(wrong("conv4d"), { input: [1, 1, 3, 3], weight: [1, 1, 3, 3] }),
  ),
];

const LIMITS: readonly BadCall[] = [
  // Kernels count in 32 bits.
  badCall("a stride beyond 32 bits", ArgumentError, [/stride/, /1099511627776/], (engine, { x, w }) =>
    engine.conv2d(x, w, { stride: 2 ** 40 }),
  ),
  badCall("a dilation beyond 32 bits", ArgumentError, [/dilation/, /1099511627776/], (engine, { x }) => {
    using pointwise = engine.tensor([1, 1, 1, 1], [1, 4, 1, 1]);
    return engine.conv2d(x, pointwise, { dilation: 2 ** 40 });
  }),
  badCall("padding beyond 32 bits", ArgumentError, [/padding/, /1099511627776/], (engine, { x, w }) =>
    engine.conv2d(x, w, { stride: 2 ** 30, padding: 2 ** 40 }),
  ),
  badCall("a workgroup beyond the device", SolverError, [/register-tile/, /threads is 65536/], (engine) => {
    using wide = engine.tensor(new Float32Array(2 ** 16), [1, 1, 2 ** 8, 2 ** 8]);
    using pointwise = engine.tensor([1], [1, 1, 1, 1]);
    return engine.conv2d(wide, pointwise, {
      solver: { name: "register-tile", config: { threads: 2 ** 16, mPerThread: 1, nPerThread: 1 } },
    });
  }),
  badCall("a tensor beyond the device", LimitError, [/\[65536, 65536\]/, /17,179,869,184 bytes/, /at most/], (engine) =>
    engine.tensor([], [65_536, 65_536]),
  ),
  badCall(
    "a result beyond the device",
    LimitError,
    [/\[1, 6, 80003, 80003\]/, /bytes/, /at most/],
    (engine, { x, w }) => engine.conv2d(x, w, { padding: 40_000 }),
  ),
  badCall(
    "an input gradient beyond the device",
    LimitError,
    [/\[1, 4, 30003, 300003\]/, /bytes/],
    (engine, { dy, w }) => engine.conv2dInputGradient(dy, w, [1, 4, 30_003, 300_003], { stride: [15_000, 150_000] }),
  ),
];

testRefusals({ hyperparameters: HYPERPARAMETERS, gradients: GRADIENTS, tensors: TENSORS, limits: LIMITS });
