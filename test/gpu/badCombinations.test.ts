/** Options that are each right but not together, layouts and dtypes that there are not: refused, with rule and values. */
import {
  ArgumentError,
  type Engine,
  type ForwardOptions,
  type Tensor,
  TensorError,
  type TransposedSize,
} from "webgpu-conv";
import { type BadCall, badCall, badConv, testRefusals, wrong } from "../support/badCall.js";

const PADDING: readonly BadCall[] = [
  badConv(
    "reflect, as much as the input",
    { paddingMode: "reflect", padding: 5 },
    /\[5, 5\] along height/,
    /less than .* 5/,
  ),
  badConv(
    "reflect, on one side of one axis",
    {
      paddingMode: "reflect",
      padding: [
        [0, 0],
        [1, 7],
      ],
    },
    /padding \[1, 7\] along width with paddingMode "reflect"/,
    /less than the input's extent, 5/,
  ),
  badConv(
    "symmetric, more than the input",
    { paddingMode: "symmetric", padding: 6 },
    /\[6, 6\]/,
    /"symmetric"/,
    /at most .* 5/,
  ),
  badConv(
    "circular, more than the input",
    { paddingMode: "circular", padding: 6 },
    /\[6, 6\]/,
    /"circular"/,
    /at most .* 5/,
  ),
  badConv("an unknown padding mode", { paddingMode: wrong("mirror") }, /"mirror"/, /"zeros", "reflect"/),
  badCall("reflect in an input gradient", ArgumentError, [/\[5, 5\]/, /less than .* 5/], (engine, { dy, w }) =>
    engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { paddingMode: "reflect", padding: 5 }),
  ),
  badCall("reflect in a weight gradient", ArgumentError, [/\[5, 5\]/, /less than .* 5/], (engine, { dy, x }) =>
    engine.conv2dWeightGradient(dy, x, [6, 4, 3, 3], { paddingMode: "reflect", padding: 5 }),
  ),
  badCall("reflect in one dimension", ArgumentError, [/\[3, 3\] along width/, /less than .* 3/], (engine) => {
    using x = engine.tensor([1, 2, 3], [1, 1, 3]);
    using w = engine.tensor([1, 2], [1, 1, 2]);
    return engine.conv1d(x, w, { paddingMode: "reflect", padding: 3 });
  }),
  badConv(
    "nothing left of the input but the other axis",
    {
      padding: [
        [-3, 0],
        [0, 0],
      ],
    },
    /empty along height/,
    /input 5 \+ padding -3 \+ 0 = 2/,
  ),
];

/** convTranspose2d of dy [1, 6, 3, 3] with w [6, 4, 3, 3]: without options [1, 4, 5, 5]. */
const badTransposed = (name: string, options: ForwardOptions & TransposedSize, ...says: RegExp[]): BadCall =>
  badCall(name, ArgumentError, says, (engine, { dy, w }) => engine.convTranspose2d(dy, w, options));

const TRANSPOSED: readonly BadCall[] = [
  badTransposed("a padding mode", { paddingMode: "reflect" }, /paddingMode is "reflect"/, /only "zeros"/),
  badTransposed("padding by a name that there is not", { padding: wrong("full") }, /padding is "full"/, /"valid"/),
  badTransposed(
    "output padding of the stride",
    { stride: 2, outputPadding: 2 },
    /\[2, 2\]/,
    /less than the stride or the dilation, \[2, 2\]/,
  ),
  badTransposed("output padding of stride 1", { outputPadding: [0, 1] }, /\[0, 1\]/, /less than .*, \[1, 1\]/),
  badTransposed("negative output padding", { stride: 2, outputPadding: -1 }, /outputPadding is -1/, /at least 0/),
  badTransposed("output padding for one axis", { stride: 2, outputPadding: [1] }, /\[1\]/, /2 of them/),
  badTransposed("too small an output", { stride: 2, outputSize: [6, 7] }, /\[6, 7\]/, /7 to 8 by 7 to 8/),
  badTransposed("too large an output", { stride: 2, outputSize: [7, 9] }, /\[7, 9\]/, /7 to 8 by 7 to 8/),
  badTransposed("a fractional output", { stride: 2, outputSize: [7.5, 7] }, /\[7\.5, 7\]/, /integer/),
  badTransposed(
    "output padding and output size",
    { stride: 2, outputPadding: 1, outputSize: [8, 8] },
    /outputPadding 1/,
    /outputSize \[8, 8\]/,
    /at most one/,
  ),
  badTransposed("an output cropped to nothing", { padding: 3 }, /empty/, /\[-1, -1\]/),
  badTransposed("a weight layout of a convolution", { weightLayout: "OIHW" }, /"OIHW"/, /"IOHW"/),
  badTransposed("groups that do not divide the input", { groups: 4 }, /6/, /groups = 4/),
  badCall("a weight of other channels", ArgumentError, [/weight has 6 input/, /4/], (engine, { x, w }) =>
    engine.convTranspose2d(x, w),
  ),
  badCall(
    "a bias as long as the input's channels",
    ArgumentError,
    [/bias has shape \[6\]/, /\[4\]/],
    (engine, { dy, w }) => {
      using bias = engine.tensor(new Float32Array(6), [6]);
      return engine.convTranspose2d(dy, w, { bias });
    },
  ),
  badCall("a residual of the input's shape", ArgumentError, [/\[1, 6, 3, 3\]/, /\[1, 4, 5, 5\]/], (engine, { dy, w }) =>
    engine.convTranspose2d(dy, w, { residual: dy }),
  ),
  badCall(
    "a gradient of another output padding",
    ArgumentError,
    [/\[1, 4, 5, 5\]/, /\[1, 4, 8, 8\]/],
    (engine, { x, w }) => engine.convTranspose2dInputGradient(x, w, [1, 6, 3, 3], { stride: 2, outputPadding: 1 }),
  ),
];

const LAYOUTS: readonly BadCall[] = [
  badConv("an unknown layout", { layout: wrong("NHWC") }, /layout is "NHWC"/, /"channels-first" or "channels-last"/),
  badConv("an unknown weight layout", { weightLayout: wrong("OHIW") }, /"OHIW"/, /"OIHW", "HWIO"/),
  badConv("a weight layout of one dimension", { weightLayout: "OIW" }, /"OIW"/, /"OIHW".* 2 spatial/),
  badConv("a weight layout of three dimensions", { weightLayout: "DHWIO" }, /"DHWIO"/, /"HWIO".* 2 spatial/),
  badConv("a weight layout of a transposed convolution", { weightLayout: "IOHW" }, /"IOHW"/, /"OIHW"/),
  badConv(
    "channels last of an input that has them first",
    { layout: "channels-last" },
    /weight has 4 input/,
    /5 \/ 1 groups = 5/,
  ),
  badConv(
    "a weight layout of a weight that has another",
    { weightLayout: "HWIO" },
    /weight has 3 input/,
    /4 \/ 1 groups = 4/,
  ),
  badCall(
    "an input of two dimensions for one",
    ArgumentError,
    [/\[1, 4, 5, 5\]/, /3 dimensions \[N, C, W\]/],
    (engine, { x, w }) => engine.conv1d(x, w),
  ),
  badCall(
    "an input of two dimensions for three",
    ArgumentError,
    [/weight has shape \[6, 4, 3, 3\]/, /5 dimensions/],
    (engine, { x, w }) => engine.conv3d(x, w),
  ),
  badCall("a bias gradient in an unknown layout", ArgumentError, [/"last"/, /"channels-last"/], (engine, { dy }) =>
    engine.conv2dBiasGradient(dy, { layout: wrong("last") }),
  ),
];

/** A tensor of zeros in float16. */
const half = (engine: Engine, shape: readonly number[]): Tensor =>
  engine.tensor(new Float32Array(shape.reduce((size, extent) => size * extent, 1)), shape, { dtype: "float16" });

const DTYPES: readonly BadCall[] = [
  badCall("an unknown dtype", ArgumentError, [/dtype is "float64"/, /"float32" or "float16"/], (engine) =>
    engine.tensor([1], [1], { dtype: wrong("float64") }),
  ),
  badCall("a weight of another dtype", ArgumentError, [/w is float16/, /expected float32, as x/], (engine, { x }) => {
    using w = half(engine, [6, 4, 3, 3]);
    return engine.conv2d(x, w);
  }),
  badCall("an input of another dtype", ArgumentError, [/w is float32/, /expected float16, as x/], (engine, { w }) => {
    using x = half(engine, [1, 4, 5, 5]);
    return engine.conv2d(x, w);
  }),
  badCall("a bias of another dtype", ArgumentError, [/bias is float16/, /expected float32/], (engine, { x, w }) => {
    using bias = half(engine, [6]);
    return engine.conv2d(x, w, { bias });
  }),
  badCall(
    "a residual of another dtype",
    ArgumentError,
    [/residual is float16/, /expected float32/],
    (engine, { x, w }) => {
      using residual = half(engine, [1, 6, 3, 3]);
      return engine.conv2d(x, w, { residual });
    },
  ),
  badCall("dy of another dtype", ArgumentError, [/w is float32/, /expected float16, as dy/], (engine, { w }) => {
    using dy = half(engine, [1, 6, 3, 3]);
    return engine.conv2dInputGradient(dy, w, [1, 4, 5, 5]);
  }),
  ...(["relu", "tanh"] as const).map((activation) =>
    badCall(
      `an output of another dtype, ${activation}`,
      ArgumentError,
      [/output is float16/, /expected float32/],
      (engine, { dy, w }) => {
        using output = half(engine, [1, 6, 3, 3]);
        return engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { activation, output });
      },
    ),
  ),
  badCall(
    "a transposed weight of another dtype",
    ArgumentError,
    [/w is float16/, /expected float32, as x/],
    (engine, { dy }) => {
      using w = half(engine, [6, 4, 3, 3]);
      return engine.convTranspose2d(dy, w);
    },
  ),
  badCall("x of another dtype than dy", ArgumentError, [/x is float32/, /expected float16, as dy/], (engine, { x }) => {
    using dy = half(engine, [1, 6, 3, 3]);
    return engine.conv2dWeightGradient(dy, x, [6, 4, 3, 3]);
  }),
];

const EPILOGUES: readonly BadCall[] = [
  badCall("a bias of two dimensions", ArgumentError, [/bias has shape \[1, 6\]/, /\[6\]/], (engine, { x, w }) => {
    using bias = engine.tensor(new Float32Array(6), [1, 6]);
    return engine.conv2d(x, w, { bias });
  }),
  badCall("a residual of the input's shape", ArgumentError, [/\[1, 4, 5, 5\]/, /\[1, 6, 3, 3\]/], (engine, { x, w }) =>
    engine.conv2d(x, w, { residual: x }),
  ),
  badCall(
    "a residual that is no tensor",
    ArgumentError,
    [/residual is \[1, 2\]/, /engine\.tensor/],
    (engine, { x, w }) => engine.conv2d(x, w, { residual: wrong([1, 2]) }),
  ),
  badCall("a bias that is null", ArgumentError, [/bias is null/, /engine\.tensor/], (engine, { x, w }) =>
    engine.conv2d(x, w, { bias: wrong(null) }),
  ),
  badCall(
    "a residual that was disposed of",
    TensorError,
    [/residual of shape \[1, 6, 3, 3\]/, /disposed/],
    (engine, { x, w }) => {
      const residual = engine.tensor(new Float32Array(54), [1, 6, 3, 3]);
      residual.dispose();
      return engine.conv2d(x, w, { residual });
    },
  ),
  badConv(
    "a slope that is no number",
    { activation: { name: "leaky-relu", negativeSlope: NaN } },
    /"leaky-relu"/,
    /NaN/,
    /finite/,
  ),
  badCall(
    "gelu without what it was applied to",
    ArgumentError,
    [/"gelu"/, /preActivation/, /none/],
    (engine, { dy, w }) => engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { activation: "gelu", output: dy }),
  ),
  badCall(
    "an activation's gradient of another shape",
    ArgumentError,
    [/\[1, 4, 5, 5\]/, /\[1, 6, 3, 3\]/],
    (engine, { x, dy }) => engine.activationGradient(dy, { activation: "tanh", output: x }),
  ),
];

const UNSHARED: readonly BadCall[] = [
  badCall("filters that are shared", ArgumentError, [/\[6, 4, 3, 3\]/, /6 dimensions/], (engine, { x, w }) =>
    engine.locallyConnected2d(x, w),
  ),
  badCall(
    "filters for other positions",
    ArgumentError,
    [/\[2, 3\]/, /\[3, 3\]/, /output's extents/],
    (engine, { x }) => {
      using w = engine.tensor(new Float32Array(6 * 216), [2, 3, 6, 4, 3, 3]);
      return engine.locallyConnected2d(x, w);
    },
  ),
  badCall("a weight layout", ArgumentError, [/"HWIO"/, /\[\.\.\.output, out/], (engine, { x }) => {
    using w = engine.tensor(new Float32Array(9 * 216), [3, 3, 6, 4, 3, 3]);
    return engine.locallyConnected2d(x, w, { weightLayout: "HWIO" });
  }),
];

testRefusals({
  padding: PADDING,
  transposed: TRANSPOSED,
  layouts: LAYOUTS,
  dtypes: DTYPES,
  epilogues: EPILOGUES,
  "locally connected": UNSHARED,
});
