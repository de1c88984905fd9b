/** What engines are told. */
import type { GPUDevice, GPUPowerPreference } from "../base/webgpuTypes.js";
import type { DeviceClass } from "../planning/devices.js";
import type { TuningStore } from "../tuner/store.js";
import type { TuneMode } from "../tuner/tuning.js";

/** Options of an engine for forward passes. */
export interface ForwardEngineOptions {
  /**
   * "webgpu" (default) or "cpu". The CPU backend is the float64 reference behind the same methods: slow, for
   * pages without WebGPU. It is chosen only when asked for. It takes no `device`, and ignores the other options of a GPU.
   */
  readonly backend?: "webgpu" | "cpu";
  /**
   * Run on this device instead of requesting one, by no `powerPreference` therefore. The caller keeps it: `dispose` does
   * not destroy it.
   */
  readonly device?: GPUDevice;
  /** Which adapter to prefer where there are several; "high-performance" when absent. */
  readonly powerPreference?: GPUPowerPreference;
  /**
   * The class of devices whose plans are to be made, such as "nvidia" or "apple". When absent it is what the adapter tells;
   * `explain` says which that is. For browsers that tell nothing, and for seeing what another device would get. Results stay
   * right, whichever it is.
   */
  readonly deviceClass?: DeviceClass;
  /**
   * Device memory that may wait unused for later tensors, in bytes, and as much again for weights that were repacked
   * for a kernel and are kept so until they change (compiled sequences keep theirs besides); 512 MiB when absent.
   */
  readonly poolBytes?: number;
  /**
   * For tests and debugging: fills the memory of every result with NaN before the kernels run, so that an
   * element that none of them writes shows. Costs an upload an operation.
   */
  readonly poison?: boolean;
  /**
   * For development: warns once of tensors that nobody disposed of before they were collected, how many and where they were
   * made. Costs a stack trace a tensor.
   */
  readonly development?: boolean;
  /**
   * For development: names buffers, compute passes, bind groups and pipelines by operation, as "conv2d forward 64x56x56 -> 64,
   * 3x3", and puts each operation into a debug group, so that a GPU profiler can be read. Operations of different sizes share
   * no pipelines then: first calls take longer.
   */
  readonly debug?: boolean;
  /**
   * Whether the engine gets a new device by itself when it has lost its own: kernels are compiled again, sequences recorded
   * again, and tensors that have a copy on the host come back (`tensor(..., { keep: true })`, `snapshot`). False when absent.
   * Costs a stack trace a tensor. With a `device` of the caller's it needs {@link reacquire}.
   */
  readonly recover?: boolean;
  /**
   * Gives a new device after a loss, in place of one that the engine requests itself; `recover` is then true. Called again after
   * a pause where it rejects, or where its device is lost too, up to six times. The caller keeps the device.
   */
  readonly reacquire?: () => Promise<GPUDevice>;
  /**
   * Whether a kernel that is new on this adapter is tried before its results are used: on a small problem of integers, beside the
   * float64 reference. One that is wrong, does not compile, never ends or loses the device twice is set aside, the next solver
   * serves, and `engine.kernelFaults` has a report for its maintainers. True when absent. Costs milliseconds a kernel, once; a
   * `tuningStore` remembers what has passed.
   */
  readonly vetKernels?: boolean;
  /** Told what was ignored or set aside, such as a broken tuning store or kernel; `console.warn` when absent. */
  readonly onWarning?: (message: string) => void;
}

export const FORWARD_ENGINE_KEYS = {
  backend: 1,
  device: 1,
  powerPreference: 1,
  deviceClass: 1,
  poolBytes: 1,
  poison: 1,
  development: 1,
  debug: 1,
  recover: 1,
  reacquire: 1,
  vetKernels: 1,
  onWarning: 1,
} as const;

/** Options of a whole engine. */
export interface EngineOptions extends ForwardEngineOptions {
  /**
   * Whether the engine measures ways of running an operation on this device, and takes the fastest from then on: "off"
   * (default), though choices that are stored or imported are used; "first-use", where a call runs as ever and `finish`
   * waits for the measuring; or "background", while there is nothing else to do.
   */
  readonly tune?: TuneMode;
  /** Where tuned choices are kept from one page load or process to the next; nowhere when absent. */
  readonly tuningStore?: TuningStore;
}

export const ENGINE_KEYS = { ...FORWARD_ENGINE_KEYS, tune: 1, tuningStore: 1 } as const;
