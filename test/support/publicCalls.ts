/** A valid call of every public method and helper, with the kind of each of its arguments and options. */
import * as library from "webgpu-conv";
import type { Engine, Tensor, TiledLayer, TiledOptions, TiledSource } from "webgpu-conv";
import * as reference from "webgpu-conv/reference";
import type { Kind } from "./junk.js";

/** An argument, or an option: what is valid, and what kind of thing that is. Those with options are objects of them. */
export interface Part {
  readonly valid: unknown;
  readonly kind: Kind;
  readonly options?: Readonly<Record<string, Part>>;
}

export interface PublicCall {
  readonly name: string;
  readonly parts: readonly Part[];
  /** Arguments that may not be left out. */
  readonly required: number;
  readonly call: (...args: never[]) => unknown;
}

export interface CallTensors {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly dy: Tensor;
  readonly bias: Tensor;
  readonly line: Tensor;
  readonly volume: Tensor;
  readonly unshared: Tensor;
  /** Something to draw on. */
  readonly target: unknown;
  readonly buffer: unknown;
  readonly encoder: unknown;
}

const part = (kind: Kind, valid: unknown): Part => ({ kind, valid });
const optionsOf = (options: Readonly<Record<string, Part>>): Part => ({
  kind: "options",
  valid: Object.fromEntries(Object.entries(options).map(([name, { valid }]) => [name, valid])),
  options,
});

const LAYER: Readonly<Record<string, Part>> = {
  stride: part("perAxis", 1),
  padding: part("padding", 0),
  dilation: part("perAxis", 1),
  groups: part("count", 1),
  paddingMode: part("word", "zeros"),
  layout: part("word", "channels-first"),
};
const ACTIVE = { ...LAYER, activation: part("activation", "none"), solver: part("solver", undefined) };
const WAITING = { signal: part("object", undefined), onProgress: part("anyFunction", undefined) };
const SIZE = { outputPadding: part("extra", 0), outputSize: part("perAxis", undefined) };

const DX = [1, 2, 4, 4];
const DW = [3, 2, 3, 3];
const shape = (valid: readonly number[]): Part => part("shape", valid);
const tensor = (valid: Tensor): Part => part("tensor", valid);

/** The methods of an engine. */
export function engineCalls(engine: Engine, tensors: CallTensors): PublicCall[] {
  const { x, w, dy, bias, line, volume, unshared } = tensors;
  const forward = optionsOf({ ...ACTIVE, weightLayout: part("word", "OIHW"), bias: tensor(bias) });
  const bare = optionsOf({ ...ACTIVE, bias: part("tensor", undefined) });
  const gradient = optionsOf({ ...ACTIVE, output: tensor(dy) });
  const backward = optionsOf({
    ...LAYER,
    activation: part("activation", "none"),
    solver: part("backwardSolver", undefined),
  });
  const transposed = optionsOf({ ...ACTIVE, ...SIZE, residual: part("tensor", undefined) });
  const plan = optionsOf({ ...ACTIVE, dtype: part("word", "float32"), bias: part("boolean", true) });
  const shapes: Part = { ...optionsOf({ input: shape(DX), weight: shape(DW) }), kind: "object" };
  const waiting = optionsOf(WAITING);
  const record = part("function", () => undefined);
  const activation = part("activation", "relu");
  const activationOptions = optionsOf({ activation, output: tensor(dy), layout: part("word", "channels-first") });
  const dtype = part("word", "float32");
  const data = part("data", [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const image = part("object", { data: new Uint8ClampedArray(4), width: 1, height: 1 });
  const calls: Readonly<Record<string, readonly [required: number, ...Part[]]>> = {
    conv1d: [2, tensor(line), tensor(line), bare],
    conv2d: [2, tensor(x), tensor(w), forward],
    conv3d: [2, tensor(volume), tensor(volume), bare],
    conv2dInputGradient: [3, tensor(dy), tensor(w), shape(DX), gradient],
    conv2dWeightGradient: [3, tensor(dy), tensor(x), shape(DW), gradient],
    conv2dBiasGradient: [1, tensor(dy), gradient],
    conv2dBackward: [3, tensor(dy), tensor(x), tensor(w), backward],
    convTranspose2d: [2, tensor(dy), tensor(w), transposed],
    convTranspose2dInputGradient: [3, tensor(x), tensor(w), shape([1, 3, 2, 2]), transposedGradient(x)],
    convTranspose2dWeightGradient: [3, tensor(x), tensor(dy), shape(DW), transposedGradient(x)],
    locallyConnected2d: [2, tensor(x), tensor(unshared), bare],
    locallyConnected2dInputGradient: [3, tensor(dy), tensor(unshared), shape(DX), gradient],
    locallyConnected2dWeightGradient: [3, tensor(dy), tensor(x), shape(unshared.shape), gradient],
    activate: [2, tensor(x), activation, optionsOf({ layout: part("word", "channels-first") })],
    activationGradient: [2, tensor(dy), activationOptions],
    tensor: [1, data, shape([3, 3]), optionsOf({ dtype, bits: part("word", undefined), keep: part("boolean", false) })],
    write: [2, tensor(line), part("data", [1, 2, 3, 4, 5]), optionsOf({ bits: part("word", undefined) })],
    wrap: [2, part("object", tensors.buffer), shape([4]), optionsOf({ dtype, offset: part("extra", 0) })],
    image: [
      1,
      image,
      optionsOf({
        channels: part("count", 3),
        mean: part("perChannel", 0.5),
        std: part("perChannel", 0.5),
        layout: part("word", "channels-first"),
      }),
    ],
    explain: [2, part("word", "conv2d"), shapes, plan],
    encode: [2, part("object", tensors.encoder), record],
    compile: [1, record],
    time: [1, record],
    check: [1, tensor(x)],
    draw: [
      2,
      tensor(x),
      part("object", tensors.target),
      optionsOf({
        sample: part("range", 0),
        channel: part("range", 0),
        range: part("range", [0, 1]),
        colors: part("word", "gray"),
        viewport: part("range", [0, 0, 1, 1]),
        layout: part("word", "channels-first"),
      }),
    ],
    scope: [0, part("anyFunction", () => undefined)],
    submit: [0, waiting],
    finish: [0, waiting],
  };
  const methods = engine as unknown as Readonly<Record<string, (...args: never[]) => unknown>>;
  const own = Object.entries(calls).map(([name, [required, ...parts]]) => {
    return { name: `engine.${name}`, required, parts, call: (...args: never[]) => methods[name].apply(engine, args) };
  });
  const tune = {
    name: "engine.tuning.tune",
    required: 2,
    parts: [part("word", "conv2d"), shapes, plan],
    call: (...args: Parameters<typeof engine.tuning.tune>) => engine.tuning.tune(...args),
  };
  const tiled = {
    name: "engine.convolveTiled, one layer",
    required: 2,
    parts: [
      {
        ...optionsOf({ shape: shape([2, 4, 4]), values: part("data", new Float32Array(32)) }),
        kind: "object" as const,
      },
      { ...optionsOf({ ...ACTIVE, weight: tensor(w), bias: tensor(bias) }), kind: "object" as const },
      optionsOf({
        maxBytes: part("count", 2 ** 24),
        tile: part("perAxis", [1, 2]),
        layout: part("word", "channels-first"),
        sink: part("anyFunction", undefined),
        ...WAITING,
      }),
    ],
    call: (source: TiledSource, layer: TiledLayer, ...rest: [TiledOptions?]) =>
      engine.convolveTiled(source, [layer], ...rest),
  };
  return [...own, tune, tiled];
}

const transposedGradient = (output: Tensor): Part => optionsOf({ ...ACTIVE, ...SIZE, output: tensor(output) });

/** The plain functions, createEngine among them, and the reference. */
export function helperCalls(): PublicCall[] {
  const axis: Part = {
    ...optionsOf({ kernel: part("count", 3), stride: part("count", 1), dilation: part("count", 1) }),
    kind: "object",
  };
  const layer: Part = {
    ...optionsOf({
      inChannels: part("count", 2),
      outChannels: part("count", 4),
      kernel: part("extents", [3, 3]),
      groups: part("count", 1),
      bias: part("boolean", true),
    }),
    kind: "object",
  };
  const engineOptions = optionsOf({
    backend: part("word", "cpu"),
    deviceClass: part("word", "unknown"),
    poolBytes: part("bytes", 0),
    poison: part("boolean", false),
    vetKernels: part("boolean", false),
    tune: part("word", "off"),
    tuningStore: part("object", library.memoryStore()),
    onWarning: part("anyFunction", () => undefined),
    device: part("object", undefined),
  });
  const problem = part("object", reference.makeProblem(2, DX, DW));
  const values = (count: number): Part => part("data", new Float32Array(count));
  const problemOptions = optionsOf(LAYER);
  const extras = optionsOf({ bias: values(3), residual: values(12), activation: part("activation", "relu") });
  const operands: Part = { ...optionsOf({ x: values(32), w: values(54), dy: values(12) }), kind: "object" };
  const [x, w, dy] = [values(32), values(54), values(12)];
  const direction = part("word", "forward");
  const extents = (valid: readonly number[]): Part => part("extents", valid);
  const five = part("data", [1, 2, 3, 4, 5]);
  const numbers = part("numbers", [1, 2]);
  const channels: Part = { ...optionsOf({ count: part("count", 1), stride: part("count", 1) }), kind: "object" };
  const rank = part("object", 2);
  const calls: readonly (readonly [(...args: never[]) => unknown, required: number, ...Part[]])[] = [
    [library.createEngine, 0, engineOptions],
    [library.dilatedExtent, 1, part("count", 3), part("count", 1)],
    [library.outputSize, 2, part("count", 7), axis],
    [library.samePadding, 1, part("count", 3), part("count", 1)],
    [library.sameTotalPadding, 2, part("count", 7), axis, part("boolean", false)],
    [library.parameterCount, 1, layer],
    [library.unsharedParameterCount, 2, layer, extents([5, 5])],
    [library.multiplyAdds, 2, layer, extents([5, 5]), part("count", 1)],
    [library.layerBytes, 3, layer, extents([7, 7]), extents([5, 5]), part("count", 1), part("positive", 4)],
    [library.receptiveField, 1, part("layers", [{ kernel: 3 }])],
    [library.product, 1, numbers],
    [reference.makeProblem, 3, rank, shape(DX), shape(DW), problemOptions],
    [reference.outputShapeOf, 3, rank, shape(DX), shape(DW), problemOptions],
    [reference.makeUnsharedProblem, 3, rank, shape(DX), shape([2, 2, 3, 2, 3, 3]), problemOptions],
    [reference.makeTransposedProblem, 3, rank, shape([1, 3, 2, 2]), shape(DW), optionsOf({ ...LAYER, ...SIZE })],
    [reference.forward, 3, problem, x, w, extras],
    [reference.inputGradient, 3, problem, dy, w],
    [reference.weightGradient, 3, problem, dy, x],
    [reference.biasGradient, 2, problem, dy],
    [reference.termsOf, 2, problem, direction],
    [reference.errorBound, 3, problem, direction, operands],
    [reference.referencePass, 3, problem, direction, operands],
    [reference.winogradErrorBound, 4, problem, direction, operands, part("object", 2)],
    [reference.compare, 3, numbers, numbers, part("bound", 0)],
    [reference.maskByOutput, 2, five, five],
    [reference.activationGradient, 3, five, five, part("activation", "relu"), channels],
    [reference.applyActivation, 1, numbers, part("activation", "relu"), channels],
    [reference.slopeGradient, 2, five, five, channels],
  ];
  return calls.map(([call, required, ...parts]) => ({ name: call.name, call, required, parts }));
}
