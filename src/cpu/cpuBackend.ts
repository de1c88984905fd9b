/** The CPU reference as a backend: the same engine where there is no WebGPU. Chosen only when asked for. */
import {
  type AdapterDescription,
  type Backend,
  type BackendMemory,
  countSpecials,
  type DeviceLoss,
  memoryOf,
  type Part,
  type RoleStorages,
  type SpecialValues,
  type TensorStorage,
  type Timing,
} from "../backend/backend.js";
import { BYTES_PER_ELEMENT, type DType, encode, type StoredValues } from "../problem/dtype.js";
import { require, show, SolverError } from "../base/errors.js";
import { decodeHalves } from "../base/half.js";
import { product } from "../problem/geometry.js";
import type { ConvOperation, TensorRole } from "../problem/operation.js";
import { optionKeys, requireOptions } from "../base/optionKeys.js";
import type { SolverChoice } from "../planning/choice.js";
import type { TensorOperation } from "../planning/tensorOperation.js";
import { decodePixels, isImageData } from "../problem/images.js";
import type { ImageSize, ImageSource, Pixels } from "../problem/pixels.js";
import { activationGradient, applyActivation, maskByOutput, slopeGradient } from "../reference/activations.js";
import type { ReferenceActivation } from "../reference/passes.js";
import { runPass } from "../reference/referencePass.js";
import type { Selection } from "../solvers/choose.js";

const SOLVER = "reference";
/** In place of operands that an operation does not read. */
const NOTHING = new Float32Array();
const NO_CONSTANTS = optionKeys({});

/** Values rounded to what their dtype can hold, kept as float32 for the loops. */
class CpuStorage implements TensorStorage {
  readonly values: Float32Array<ArrayBuffer>;
  readonly dtype: DType;
  readonly whole: CpuStorage | undefined;
  readonly begin: number;

  constructor(values: Float32Array<ArrayBuffer>, dtype: DType, whole?: CpuStorage, begin = 0) {
    this.values = values;
    this.dtype = dtype;
    this.whole = whole;
    this.begin = begin;
  }

  write(values: StoredValues): void {
    if (values instanceof Uint16Array) decodeHalves(values.subarray(0, this.size), this.values);
    else this.values.set(values);
  }

  get size(): number {
    return this.values.length;
  }

  get bytes(): number {
    return this.size * BYTES_PER_ELEMENT[this.dtype];
  }
}

export class CpuBackend implements Backend<CpuStorage> {
  readonly adapter: AdapterDescription = {
    description: "CPU reference in float64 (no GPU)",
    backend: "cpu",
    software: true,
    vendor: "",
    architecture: "",
    features: [],
    maxTensorBytes: 2 ** 31 - 4,
  };
  readonly device = undefined;
  readonly capabilities = undefined;
  readonly interop = undefined;
  /** Never resolves. */
  readonly lost = new Promise<DeviceLoss>(() => undefined);
  #liveBytes = 0;

  upload(values: StoredValues, shape: readonly number[], dtype: DType): CpuStorage {
    return this.#store(values, product(shape), dtype);
  }

  pixelOrder(image: ImageSource): "rgba" {
    require(isImageData(image), () => `image is ${show(image)}; expected ImageData, the only kind without a GPU`);
    return "rgba";
  }

  /** Stores values in place of pixels: on the CPU pixels would save no upload. */
  uploadImages(images: readonly ImageSource[], _size: ImageSize, pixels: Pixels): CpuStorage {
    const valuesPerImage = pixels.positions * pixels.channels;
    const values = new Float32Array(images.length * valuesPerImage);
    for (const [i, { data }] of images.filter(isImageData).entries()) {
      values.set(decodePixels(new Uint8Array(data), pixels), i * valuesPerImage);
    }
    return this.#store(values, values.length, "float32");
  }

  run(operation: ConvOperation, operands: RoleStorages<CpuStorage>, choice: SolverChoice | undefined): CpuStorage[] {
    requireReference(choice);
    const results = computeOnHost(operation, operands);
    const { dtype } = operation;
    return results.map((values) => this.#store(encode(values, dtype), values.length, dtype));
  }

  runTensors(
    { compute, results, updates = [] }: TensorOperation,
    operands: Readonly<Record<string, CpuStorage>>,
  ): CpuStorage[] {
    const given = Object.entries(operands).map(([name, { values }]) => [name, values] as const);
    const computed = compute(Object.fromEntries(given));
    for (const name of updates) operands[name].write(encode(computed[name], operands[name].dtype));
    return Object.entries(results).map(([name, { dtype }]) => {
      return this.#store(encode(computed[name], dtype), computed[name].length, dtype);
    });
  }

  view(storage: CpuStorage, { begin, shape }: Part): CpuStorage {
    const values = storage.values.subarray(begin, begin + product(shape));
    return new CpuStorage(values, storage.dtype, memoryOf(storage), storage.begin + begin);
  }

  read(storage: CpuStorage): Promise<Float32Array<ArrayBuffer>> {
    return Promise.resolve(storage.values.slice());
  }

  write(storage: CpuStorage, values: StoredValues): Promise<void> {
    storage.write(values);
    return Promise.resolve();
  }

  /** There is no device to lose. */
  snapshot(): Promise<void> {
    return Promise.resolve();
  }

  check(storage: CpuStorage): Promise<SpecialValues> {
    return Promise.resolve(countSpecials(storage.values));
  }

  release(storage: CpuStorage): void {
    this.#liveBytes -= storage.bytes;
  }

  select(_operation: ConvOperation, choice: SolverChoice | undefined): Selection {
    requireReference(choice);
    return { plan: { solver: SOLVER, config: {}, dispatches: [], scratchBytes: {} }, passedOver: [] };
  }

  async submit(): Promise<void> {
    // As finish.
  }

  async finish(): Promise<void> {
    // Every operation is done when its call returns.
  }

  report(): void {
    // Every error is thrown by the call.
  }

  time(record: () => void): Promise<Timing> {
    const start = performance.now();
    record();
    return Promise.resolve({ milliseconds: performance.now() - start, clock: "wall-clock" });
  }

  memory(): BackendMemory {
    return { liveBytes: this.#liveBytes, pooledBytes: 0 };
  }

  dispose(): void {
    this.#liveBytes = 0;
  }

  #store(values: StoredValues, size: number, dtype: DType): CpuStorage {
    const storage = new CpuStorage(new Float32Array(size), dtype);
    storage.write(values);
    this.#liveBytes += storage.bytes;
    return storage;
  }
}

function requireReference(choice: SolverChoice | undefined): void {
  const name = typeof choice === "object" ? choice.name : choice;
  const config = typeof choice === "object" ? choice.config : undefined;
  if (name !== undefined && name !== SOLVER)
    throw new SolverError(`there is no solver ${show(name)} on the CPU; there is ${SOLVER}`);
  if (config) requireOptions(config, NO_CONSTANTS, `${SOLVER}'s config`);
}

/** The results in the order of `resultRoles`, from the operands' values. */
export function computeOnHost(
  operation: ConvOperation,
  operands: Readonly<Partial<Record<TensorRole, { readonly values: Float32Array }>>>,
): Float64Array[] {
  const { direction, problem, masked } = operation;
  const valuesOf = (role: TensorRole): Float32Array => operands[role]?.values ?? NOTHING;
  const activation: ReferenceActivation =
    operation.activation.name === "prelu" ? { name: "prelu", slope: valuesOf("slopes") } : operation.activation;
  const channels = { count: problem.inChannels, stride: problem.inputStrides[1] };
  switch (direction) {
    case "activation":
      return [applyActivation(valuesOf("x"), activation, channels)];
    case "activationGradient":
      return [activationGradient(valuesOf("y"), valuesOf("activated"), activation, channels)];
    case "slopeGradient":
      return [slopeGradient(valuesOf("y"), valuesOf("activated"), channels)];
  }
  const dy = masked ? maskByOutput(valuesOf("y"), valuesOf("activated")) : valuesOf("y");
  const values = { x: valuesOf("x"), w: valuesOf("w"), dy };
  const extras = { activation, bias: operands.bias?.values, residual: operands.residual?.values };
  const result = runPass(problem, direction, values, extras);
  if (direction !== "weightGradient" || !operation.bias) return [result];
  return [result, runPass(problem, "biasGradient", values, extras)];
}
