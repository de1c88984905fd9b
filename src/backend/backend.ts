/** Backends: what an engine needs of a GPU, or of the CPU reference. */
import type { DrawTarget, Planes } from "./draw.js";
import type { KernelVerdicts } from "./kernelFault.js";
import type { Wait } from "./wait.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { DType, StoredValues } from "../problem/dtype.js";
import type { ConvOperation, TensorRole } from "../problem/operation.js";
import type { ImageSize, ImageSource, PixelOrder, Pixels } from "../problem/pixels.js";
import type { TensorOperation } from "../planning/tensorOperation.js";
import type { SolverChoice } from "../planning/choice.js";
import type { FaultyPlans } from "../planning/solver.js";
import type { Selection } from "../solvers/choose.js";
import type { GPUBuffer, GPUBufferBinding, GPUCommandEncoder, GPUDevice } from "../base/webgpuTypes.js";

/** Memory of one tensor, known only to the backend that made it. */
export interface TensorStorage {
  readonly dtype: DType;
  /** Number of elements. */
  readonly size: number;
  readonly bytes: number;
  /** What the bytes mean where they are an image's pixels; undefined where they are values of `dtype`. */
  readonly pixels?: Pixels | undefined;
  /** Of a part: the storage whose memory it is in. Absent of a whole. */
  readonly whole?: TensorStorage | undefined;
  /** Of a part: its first element in the whole. */
  readonly begin?: number;
}

/** The storage whose memory a part is in; of a whole itself. That memory's values, errors and life are those of its parts. */
export const memoryOf = <Storage extends { readonly whole?: Storage | undefined }>(storage: Storage): Storage =>
  storage.whole ?? storage;

/** Neighbouring elements of a tensor, as a tensor. */
export interface Part {
  /** Its first element in the tensor that it is taken of. Its byte is a multiple of 256, which every device can bind. */
  readonly begin: number;
  readonly shape: readonly number[];
  /** The operation that it is the result of: "slice". */
  readonly name: string;
  /** Makes it on a device (gpu/device/storagePart.ts). It comes with who takes parts: pages that only convolve do without. */
  readonly onDevice: (storage: TensorStorage, part: Part) => TensorStorage;
}

/** The device an engine runs on. */
export interface AdapterDescription {
  /** In words, for people. */
  readonly description: string;
  readonly backend: "webgpu" | "cpu";
  /** True when the work runs on the CPU: a software WebGPU adapter, or the CPU backend. */
  readonly software: boolean;
  readonly vendor: string;
  readonly architecture: string;
  readonly features: readonly string[];
  /** The largest tensor this device can hold. */
  readonly maxTensorBytes: number;
}

/** A tensor whose values were lost with a device. */
export interface LostTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** What it was, and where in the caller's code it was made. */
  readonly made: string;
}

/** What is there again on a new device, after a loss. */
export interface Recovery {
  /** How many tensors came back with the values of their copies. */
  readonly restored: number;
  /** Tensors that had no copy: their `data()` rejects with a DeviceLostError, until they get new values. */
  readonly lost: readonly LostTensor[];
}

/** How a device was lost. */
export interface DeviceLoss {
  /** "destroyed" where somebody destroyed it, the engine's own disposal included; else "unknown". */
  readonly reason: "destroyed" | "unknown";
  readonly message: string;
  /**
   * Of an engine that recovers: resolves once it works on a new device; rejects with a DeviceLostError where it gets none.
   * Undefined for other engines.
   */
  readonly recovered: Promise<Recovery> | undefined;
}

/** Memory in use, in bytes. */
export interface BackendMemory {
  readonly liveBytes: number;
  readonly pooledBytes: number;
}

/** How long a piece of work took. */
export interface Timing {
  readonly milliseconds: number;
  /** "timestamp": the device's own clock around the work; "wall-clock": the host's, submission included. */
  readonly clock: "timestamp" | "wall-clock";
}

/** What {@link Engine.check} finds in a tensor. */
export interface SpecialValues {
  /** Infinities: in float16, what grew beyond 65,504. */
  readonly infinite: number;
  readonly nan: number;
  /** The largest finite magnitude; 0 where there is none. */
  readonly largest: number;
}

/** On the host. */
export function countSpecials(values: Float32Array): SpecialValues {
  const counts = { infinite: 0, nan: 0, largest: 0 };
  for (const value of values) {
    if (Number.isNaN(value)) counts.nan++;
    else if (Number.isFinite(value)) counts.largest = Math.max(counts.largest, Math.abs(value));
    else counts.infinite++;
  }
  return counts;
}

/** Operations recorded once, to be replayed. */
export interface Sequence {
  /** Kernels that a run starts. */
  readonly dispatches: number;
  /** Records all of them once more. */
  run(): void;
  dispose(): void;
}

/** What only a WebGPU backend has: memory that it shares with the caller, and work in the caller's encoders. */
export interface Interop<Storage extends TensorStorage = TensorStorage> {
  /** A caller's buffer as a storage. It is not copied, and stays the caller's. */
  wrap(buffer: GPUBuffer, offset: number, shape: readonly number[], dtype: DType): Storage;
  /** Writes what `record` records into the encoder. The result is to be called once the encoder was submitted. */
  encode(encoder: GPUCommandEncoder, record: () => void): Promise<() => void>;
  /** Records what `record` records, to be replayed; resolves once every kernel is compiled. */
  compile(record: () => void): Promise<Sequence>;
  /** Draws planes of a storage; resolves once that is submitted. */
  draw(storage: Storage, planes: Planes, target: DrawTarget): Promise<void>;
  /** Gives a result of a sequence, which may not have run yet, these values. */
  restore(storage: Storage, values: StoredValues): void;
}

/** Tensors by the role they play in an operation. */
export type RoleStorages<Storage extends TensorStorage = TensorStorage> = Partial<Record<TensorRole, Storage>>;

/**
 * What every engine needs: enough for forward passes. `Storage` is the backend's own type. Code that works with any backend sees
 * only {@link TensorStorage}, and must hand a backend only storages that it made.
 */
export interface CoreBackend<Storage extends TensorStorage = TensorStorage> {
  readonly adapter: AdapterDescription;
  /** The WebGPU device; undefined on the CPU. */
  readonly device: GPUDevice | undefined;
  /** What its device can do, as planning reads it; undefined on the CPU. */
  readonly capabilities: Capabilities | undefined;
  /** What is known of the kernels; undefined where they are not tried. */
  readonly verdicts?: KernelVerdicts | undefined;
  /** Resolves, never rejects, when the device is lost; of one that recovers, the device that it has now. */
  readonly lost: Promise<DeviceLoss>;
  /**
   * A storage of that shape. The values are copied before this returns.
   *
   * @param keep whether the host keeps a copy, from which a backend that recovers restores it
   */
  upload(values: StoredValues, shape: readonly number[], dtype: DType, keep?: boolean): Storage;
  /**
   * Records the operation; the results are new storages, in the order of `resultRoles`.
   *
   * @param key `keyOf(operation)`, of a caller that has made it
   */
  run(
    operation: ConvOperation,
    operands: RoleStorages<Storage>,
    choice: SolverChoice | undefined,
    key?: string,
  ): Storage[];
  /** @param wait of a caller who wants to know how far it is, or may call it off; likewise below */
  read(storage: Storage, wait?: Wait): Promise<Float32Array<ArrayBuffer>>;
  /** What the device's memory holds, as it is. Absent on the CPU. */
  bytes?(storage: Storage): Promise<ArrayBuffer>;
  /** Keeps a copy of the values on the host, all of the same moment. Absent where nothing is restored from it. */
  snapshot?(storages: readonly Storage[]): Promise<void>;
  /**
   * Replaces the values, after everything recorded so far. The array belongs to the backend from then on. Resolves once the
   * write is on the device's queue.
   */
  write(storage: Storage, values: StoredValues): Promise<void>;
  /** The buffer of a storage, where the caller may write from then on. Absent on the CPU. */
  binding?(storage: Storage): Required<GPUBufferBinding>;
  /** The storage must not be used again. */
  release(storage: Storage): void;
  /** Chooses a solver as `run` would, without running. */
  select(operation: ConvOperation, choice: SolverChoice | undefined): Selection;
  /** Hands all recorded work to the device; resolves once that has happened. */
  submit(wait?: Wait): Promise<void>;
  /** Resolves when all recorded work is done. Rejects with the first error of the device since it was last called. */
  finish(wait?: Wait): Promise<void>;
  memory(): BackendMemory;
  dispose(): void;
}

/** What a whole engine needs. */
export interface Backend<Storage extends TensorStorage = TensorStorage> extends CoreBackend<Storage> {
  /**
   * Records an operation that names its tensors; the results are new storages, in its order. Those of an operation that is kept may
   * be of an earlier call; to release them is harmless.
   */
  runTensors(operation: TensorOperation, operands: Readonly<Record<string, Storage>>): Storage[];
  /** A part of a storage, without a copy. What it is in must live as long. */
  view(storage: Storage, part: Part): Storage;
  /** Plans that do not work on the device; undefined where kernels are not tried. */
  readonly faulty?: FaultyPlans | undefined;
  /** Undefined on the CPU. */
  readonly interop: Interop<Storage> | undefined;
  /** The order of the bytes of an image's pixels once uploaded. Throws for an image that cannot be uploaded. */
  pixelOrder(image: ImageSource): PixelOrder;
  /** Images of one size, as the tensor of pixels that `pixels` describes. */
  uploadImages(images: readonly ImageSource[], size: ImageSize, pixels: Pixels): Storage;
  /** Counts infinities and NaNs where the values are. */
  check(storage: Storage): Promise<SpecialValues>;
  /**
   * Gives back memory that waits for later use, and what is kept of the values of these storages in other forms. Absent where none
   * is kept.
   */
  trim?(storages: readonly Storage[]): void;
  /** Makes the next {@link finish} reject with this error. */
  report(error: Error): void;
  /** Runs what `record` records and measures that alone. */
  time(record: () => void): Promise<Timing>;
}
