/** The CPU reference as a backend: the same engine where there is no WebGPU. Chosen only when asked for. */
import type { AdapterDescription, Backend, BackendMemory, RoleStorages, TensorStorage, Timing } from "./backend.js";
import { SolverError } from "./errors.js";
import type { ConvOperation, TensorRole } from "./operation.js";
import type { SolverChoice } from "./options.js";
import { forward } from "./reference/forward.js";
import { inputGradient } from "./reference/inputGradient.js";
import { biasGradient, maskByOutput, weightGradient } from "./reference/weightGradient.js";
import type { Selection } from "./select.js";

const SOLVER = "reference";

class CpuStorage implements TensorStorage {
  readonly values: Float32Array<ArrayBuffer>;

  constructor(values: Float32Array<ArrayBuffer>) {
    this.values = values;
  }

  get bytes(): number {
    return this.values.byteLength;
  }
}

export class CpuBackend implements Backend {
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
  #liveBytes = 0;

  upload(values: Float32Array<ArrayBuffer>): TensorStorage {
    return this.#store(values);
  }

  run(operation: ConvOperation, operands: RoleStorages, choice: SolverChoice | undefined): TensorStorage[] {
    requireReference(choice);
    const results = compute(operation, (role) => (operands[role] as CpuStorage).values);
    return results.map((values) => this.#store(Float32Array.from(values)));
  }

  read(storage: TensorStorage): Promise<Float32Array<ArrayBuffer>> {
    return Promise.resolve((storage as CpuStorage).values.slice());
  }

  release(storage: TensorStorage): void {
    this.#liveBytes -= storage.bytes;
  }

  select(_operation: ConvOperation, choice: SolverChoice | undefined): Selection {
    requireReference(choice);
    return { plan: { solver: SOLVER, config: {}, dispatches: [], workspaceBytes: 0 }, passedOver: [] };
  }

  async finish(): Promise<void> {
    // Every operation is done when its call returns.
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

  #store(values: Float32Array<ArrayBuffer>): CpuStorage {
    this.#liveBytes += values.byteLength;
    return new CpuStorage(values);
  }
}

function requireReference(choice: SolverChoice | undefined): void {
  const name = typeof choice === "object" ? choice.name : choice;
  if (name !== undefined && name !== SOLVER)
    throw new SolverError(`there is no solver "${name}" on the CPU; there is ${SOLVER}`);
}

/** The results in the order of `resultRoles`. */
function compute(operation: ConvOperation, valuesOf: (role: TensorRole) => Float32Array): Float64Array[] {
  const { direction, problem, bias, activation } = operation;
  if (direction === "forward") {
    const extras = { bias: bias ? valuesOf("bias") : undefined, activation };
    return [forward(problem, valuesOf("x"), valuesOf("w"), extras)];
  }
  const dy = activation === "none" ? valuesOf("y") : maskByOutput(valuesOf("y"), valuesOf("activated"));
  switch (direction) {
    case "inputGradient":
      return [inputGradient(problem, dy, valuesOf("w"))];
    case "weightGradient": {
      const weight = weightGradient(problem, dy, valuesOf("x"));
      return bias ? [weight, biasGradient(problem, dy)] : [weight];
    }
    case "biasGradient":
      return [biasGradient(problem, dy)];
  }
}
