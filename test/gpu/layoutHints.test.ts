/** Shapes that another layout would explain are refused by a message that says so; words of other libraries too. */
import { ArgumentError } from "webgpu-conv";
import { type BadCall, badCall, badConv, testRefusals, wrong } from "../support/badCall.js";

/** A call on tensors of zeros of these shapes. */
const shaped = (
  name: string,
  xShape: readonly number[],
  wShape: readonly number[],
  says: RegExp,
  options: object = {},
  method: "conv1d" | "conv2d" | "convTranspose2d" = "conv2d",
): BadCall =>
  badCall(name, ArgumentError, [says], (engine) => {
    using x = engine.tensor(new Float32Array(xShape.reduce((a, b) => a * b)), xShape);
    using w = engine.tensor(new Float32Array(wShape.reduce((a, b) => a * b)), wShape);
    return engine[method](x, w, options);
  });

const LAST = { layout: "channels-last" };

testRefusals({
  "another layout": [
    shaped("of x", [1, 8, 8, 3], [4, 3, 3, 3], /x looks channels-last: say layout: "channels-last"$/),
    shaped("of x, said to be last", [1, 3, 8, 8], [4, 3, 3, 3], /x looks channels-first: say layout/, LAST),
    shaped("of w", [1, 3, 8, 8], [3, 3, 3, 16], /; w looks HWIO: say weightLayout: "HWIO"$/),
    shaped("of w in one dimension", [1, 4, 9], [3, 4, 16], /w looks OIW: say/, { weightLayout: "OWI" }, "conv1d"),
    shaped(
      "of both, as TensorFlow has them",
      [1, 8, 8, 3],
      [3, 3, 3, 16],
      /; x looks channels-last: say layout: "channels-last"; w looks HWIO: say weightLayout: "HWIO"$/,
    ),
    shaped("of both, with groups", [2, 9, 9, 8], [3, 3, 4, 6], /x looks channels-last.*w looks HWIO/, { groups: 2 }),
    shaped("of a transposed w", [1, 5, 8, 8], [3, 3, 4, 5], /w looks HWOI/, {}, "convTranspose2d"),
    shaped("of none", [1, 3, 8, 8], [4, 5, 3, 3], /weight has 5 input channels; expected 3 \/ 1 groups = 3$/),
    badCall("of dy", ArgumentError, [/dy looks channels-last: say layout/], (engine, { x, w }) => {
      using dy = engine.tensor(new Float32Array(54), [1, 3, 3, 6]);
      return engine.conv2dBackward(dy, x, w);
    }),
    badCall("of a residual", ArgumentError, [/residual looks channels-last/], (engine, { x, w }) => {
      using residual = engine.tensor(new Float32Array(54), [1, 3, 3, 6]);
      return engine.conv2d(x, w, { residual });
    }),
  ],
  "another library's words": [
    badConv("NHWC", { layout: wrong("NHWC") }, /did you mean "channels-last"\?/),
    badConv("nchw", { layout: wrong("nchw") }, /did you mean "channels-first"\?/),
    badConv("channels_last", { layout: wrong("channels_last") }, /did you mean "channels-last"\?/),
    badConv("OIHW for a layout", { layout: wrong("OIHW") }, /did you mean weightLayout: "OIHW"\?/),
    badConv("NHWC for a weight", { weightLayout: wrong("NHWC") }, /did you mean layout: "channels-last"\?/),
    badConv("oihw", { weightLayout: wrong("oihw") }, /did you mean "OIHW"\?/),
    badConv("a layout that is no text", { weightLayout: wrong(["OIHW"]) }, /weightLayout is \["OIHW"\]; expected/),
    badConv("SAME", { padding: wrong("SAME") }, /did you mean "same"\?/),
    badConv("SAME_LOWER", { padding: wrong("SAME_LOWER") }, /did you mean "same-lower"\?/),
    badConv("VALID", { padding: wrong("VALID") }, /did you mean "valid"\?/),
    badConv("a mode for padding", { padding: wrong("reflect") }, /did you mean paddingMode: "reflect"\?/),
    badConv("padding for a mode", { paddingMode: wrong("same") }, /did you mean padding: "same"\?/),
    badConv("REFLECT", { paddingMode: wrong("REFLECT") }, /did you mean "reflect"\?/),
    badConv("constant", { paddingMode: wrong("constant") }, /did you mean "zeros"\?/),
    badConv("ReLU", { activation: wrong("ReLU") }, /did you mean "relu"\?/),
    badConv("leaky_relu", { activation: wrong({ name: "leaky_relu" }) }, /did you mean "leaky-relu"\?/),
    badConv("swish", { activation: wrong("swish") }, /did you mean "silu"\?/),
    ...["f16", "half", "fp16", "Float16"].map((dtype) =>
      badCall(dtype, ArgumentError, [/did you mean "float16"\?/], (engine) =>
        engine.tensor([1], [1], { dtype: wrong(dtype) }),
      ),
    ),
    badCall("float", ArgumentError, [/did you mean "float32"\?/], (engine) =>
      engine.tensor([1], [1], { dtype: wrong("float") }),
    ),
  ],
  "a tensor that no derivative is taken from": [
    badCall(
      "output without an activation",
      ArgumentError,
      [/output is given, but no activation/],
      (engine, { dy, w }) => engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { output: dy }),
    ),
    badCall("both", ArgumentError, [/preActivation is given, and .*"relu".*options\.output/], (engine, { dy, w }) =>
      engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { activation: "relu", output: dy, preActivation: dy }),
    ),
    badCall("of another shape", ArgumentError, [/output has shape/], (engine, { dy, x, w }) =>
      engine.conv2dInputGradient(dy, w, [1, 4, 5, 5], { activation: "none", output: x }),
    ),
    badCall("no activation to apply", ArgumentError, [/activation is undefined; expected a name/], (engine, { x }) =>
      engine.activate(x, wrong(undefined)),
    ),
    badCall("nor to go back through", ArgumentError, [/activation is undefined/], (engine, { dy }) =>
      engine.activationGradient(dy, {}),
    ),
  ],
  "a bias gradient's layer": [
    ["stride", { stride: 0 }, /stride is 0/],
    ["padding", { padding: "full" }, /padding is "full"/],
    ["dilation", { dilation: [1] }, /dilation is \[1\]/],
    ["groups", { groups: 4 }, /dy has 6 channels; expected a multiple of groups = 4/],
    ["padding mode", { paddingMode: "mirror" }, /paddingMode is "mirror"/],
    ["weight layout", { weightLayout: "OIDHW" }, /weightLayout is "OIDHW"/],
    ["output padding", { outputPadding: -1 }, /outputPadding is -1/],
  ].map(([name, options, says]) =>
    badCall(name as string, ArgumentError, [says as RegExp], (engine, { dy }) =>
      engine.conv2dBiasGradient(dy, options as object),
    ),
  ),
});
