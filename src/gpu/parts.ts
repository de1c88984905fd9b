/** The parts of a backend, put together for one device. */
import type { RoleStorages } from "../backend/backend.js";
import type { Pieces } from "../planning/pieces.js";
import type { SolverPlan } from "../planning/solver.js";
import type { ConvOperation } from "../problem/operation.js";
import type { GpuStorage } from "./device/storage.js";
import type { Capabilities } from "../planning/capabilities.js";
import type { SolverChoice } from "../planning/choice.js";
import { bytesInRole, type BytesOf } from "../planning/duration.js";
import { inParts, longestOn } from "../planning/parts.js";
import { policyOf } from "../planning/policy.js";
import type { Select } from "../solvers/choose.js";
import { BufferPool, type PooledBuffer } from "./device/bufferPool.js";
import { DeviceLife } from "./device/deviceLife.js";
import { ErrorReports } from "./device/errorReports.js";
import type { Labels } from "./labels.js";
import type { DeviceMemory } from "./recording/memory.js";
import { Pace } from "./recording/pace.js";
import { PackedWeights } from "./recording/packedWeights.js";
import { PipelineCache } from "./pipelines/pipelineCache.js";
import { PlanCache } from "./pipelines/planCache.js";
import { ReadbackRing } from "./device/readback.js";
import { Recorder } from "./recording/recorder.js";
import type { Vetting } from "./pipelines/trial.js";

/** Bound in place of tensors that a kernel declares but does not touch. */
const UNUSED_BYTES = 256;

export interface PartOptions {
  /** How much unused device memory is kept for later tensors. */
  readonly poolBytes: number;
  /** Whether results and workspace are filled with NaN before use. */
  readonly poison: boolean;
  /** Names for what a profiler shows; undefined where none looks. */
  readonly labels?: Labels | undefined;
  /** Milliseconds that a dispatch may take by the model; what suits the class of devices when absent. */
  readonly longestMilliseconds?: number;
  /** Runs operations on tensors that the device cannot bind as a whole; undefined where it can bind all that it holds. */
  readonly pieces?: PieceRunner | undefined;
  /** What tries kernels before they are used; undefined where nothing does. */
  readonly vetting?: Vetting | undefined;
  /** Where kernels are compiled, of parts beside an engine's: those share them, and leave it to the engine to hear the device. */
  readonly pipelines?: PipelineCache;
}

/** What runs operations in pieces (inPieces.ts). */
export interface PieceRunner {
  /** Selects as `select`, and in pieces what the device cannot bind; plans with durations. */
  readonly selectAround: (select: Select, selectTimed: Select, timed: DeviceParts["timed"]) => Select;
  /** Throws for a tensor that the device cannot bind as a whole. */
  readonly requireBindable: (
    tensor: Pick<GpuStorage, "shape" | "bytes">,
    capabilities: Capabilities,
    what: string,
  ) => void;
  /** As `runOperation`, by the plan that it selected. */
  readonly run: (
    parts: DeviceParts,
    operation: ConvOperation,
    operands: RoleStorages<GpuStorage>,
    pieces: Pieces<SolverPlan>,
    choice: SolverChoice | undefined,
  ) => GpuStorage[];
}

export interface DeviceParts {
  readonly device: GPUDevice;
  readonly capabilities: Capabilities;
  readonly labels: Labels | undefined;
  readonly life: DeviceLife;
  readonly reports: ErrorReports;
  readonly pool: BufferPool;
  readonly memory: DeviceMemory;
  readonly readback: ReadbackRing;
  readonly recorder: Recorder;
  readonly plans: PlanCache;
  readonly packed: PackedWeights;
  readonly unused: PooledBuffer;
  readonly pipelines: PipelineCache;
  readonly vetting: Vetting | undefined;
  /** Chooses among all plans, those that failed their trial included. */
  readonly selectAny: Select;
  readonly select: Select;
  readonly pieces: PieceRunner | undefined;
  /** A plan with the durations of its dispatches, long ones in parts. */
  readonly timed: (plan: SolverPlan, operation: ConvOperation) => SolverPlan;
  /** Likewise of an operation whose tensors have these bytes. */
  readonly timedBy: (plan: SolverPlan, bytesOf: BytesOf) => SolverPlan;
}

export function makeParts(
  device: GPUDevice,
  capabilities: Capabilities,
  select: Select,
  options: PartOptions,
): DeviceParts {
  const { poolBytes, poison, labels, pieces, vetting, pipelines = new PipelineCache(device) } = options;
  const { longestMilliseconds = longestOn(policyOf(capabilities).device) } = options;
  const pool = new BufferPool(device, poolBytes);
  const { allocator } = pool;
  const readback = new ReadbackRing(allocator, device.limits.maxBufferSize);
  allocator.makeRoom = () => {
    pool.trim();
    readback.trim();
  };
  const reports = new ErrorReports(device, () => packed.distrust(), !options.pipelines);
  const pace = new Pace(device, longestMilliseconds);
  const recorder = new Recorder(device, pool, pace, (error) => reports.fail(error), poison);
  const { memory } = recorder;
  const packed = new PackedWeights(memory, recorder, poolBytes);
  const life = new DeviceLife(device, readback);
  const plans = new PlanCache(device, pipelines, allocator, life, pace);
  const selectWorking: Select = (operation, given, choice) => select(operation, given, choice, vetting);
  const timedBy = (plan: SolverPlan, bytesOf: BytesOf): SolverPlan => inParts(plan, bytesOf, capabilities, pace);
  const timed = (plan: SolverPlan, operation: ConvOperation): SolverPlan => timedBy(plan, bytesInRole(operation));
  const selectTimed: Select = (operation, given, choice) => {
    const { plan, passedOver } = selectWorking(operation, given, choice);
    return { plan: timed(plan, operation), passedOver };
  };
  let unused = pool.acquire(UNUSED_BYTES);
  return {
    device,
    capabilities,
    labels,
    life,
    reports,
    pool,
    memory,
    readback,
    recorder,
    plans,
    packed,
    pipelines,
    vetting,
    selectAny: select,
    /** Where there was no room for it, it is made once more for who asks next. */
    get unused() {
      if (unused.error) {
        pool.release(unused);
        unused = pool.acquire(UNUSED_BYTES);
      }
      return unused;
    },
    select: pieces?.selectAround(selectWorking, selectTimed, timed) ?? selectTimed,
    pieces,
    timed,
    timedBy,
  };
}

/** Ends all parts. The device itself stays. */
export function disposeParts({ life, reports, recorder, plans, readback, pool }: DeviceParts): void {
  life.dispose();
  reports.dispose();
  recorder.dispose();
  plans.dispose();
  readback.dispose();
  pool.dispose();
}
