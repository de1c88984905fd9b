/** The backend of a whole engine that gets over the loss of its device: images, sequences, and callers' buffers and encoders. */
import type { Backend, Interop, Part, Sequence, SpecialValues, Timing } from "../backend/backend.js";
import type { DrawTarget, Planes } from "../backend/draw.js";
import { DeviceError, DeviceLostError } from "../base/errors.js";
import type { GPUBuffer, GPUCommandEncoder } from "../base/webgpuTypes.js";
import type { FaultyPlans } from "../planning/solver.js";
import type { TensorOperation } from "../planning/tensorOperation.js";
import type { DType } from "../problem/dtype.js";
import type { ImageSize, ImageSource, PixelOrder, Pixels } from "../problem/pixels.js";
import { RecoveringCoreBackend } from "./coreBackend.js";
import { Recipe } from "./recipe.js";
import { RecoveringSequence, replay } from "./sequence.js";
import { RecoverableStorage } from "./storage.js";
import { RecoverablePart } from "./storagePart.js";

export class RecoveringBackend extends RecoveringCoreBackend<Backend> implements Backend<RecoverableStorage> {
  readonly interop: Interop<RecoverableStorage> = {
    wrap: (buffer, offset, shape, dtype) => this.#wrap(buffer, offset, shape, dtype),
    encode: (encoder, record) => this.#encode(encoder, record),
    compile: (record) => this.#compile(record),
    draw: (storage, planes, target) => this.#draw(storage, planes, target),
    restore: (storage, values) => this.#interop().restore(storage.onDevice(), values),
  };

  get faulty(): FaultyPlans | undefined {
    return this.recoverer.inner.faulty;
  }

  runTensors(operation: TensorOperation, operands: Readonly<Record<string, RecoverableStorage>>): RecoverableStorage[] {
    const { name, updates = [] } = operation;
    const results = Object.entries(operation.results).map(([result, { shape, dtype }]) => {
      return this.track(new RecoverableStorage({ shape, dtype, what: () => `${result} of ${name}` }));
    });
    this.record({
      operands,
      results,
      updates: updates.map((operand) => operands[operand]),
      run(backend, own) {
        if (!backend.runTensors) throw new DeviceError(`${name} needs a whole engine`);
        return backend.runTensors(operation, own);
      },
    });
    return results;
  }

  view(storage: RecoverableStorage, part: Part): RecoverableStorage {
    return new RecoverablePart(storage, part, (whole, own) => this.recoverer.inner.view(whole, own));
  }

  pixelOrder(image: ImageSource): PixelOrder {
    return this.recoverer.inner.pixelOrder(image);
  }

  uploadImages(images: readonly ImageSource[], size: ImageSize, pixels: Pixels): RecoverableStorage {
    const inner = this.recoverer.now().uploadImages(images, size, pixels);
    const shape = [images.length, pixels.positions];
    const what = (): string => "an image";
    return this.track(new RecoverableStorage({ shape, dtype: "float32", what, pixels, imageSize: size }, inner));
  }

  async check(storage: RecoverableStorage): Promise<SpecialValues> {
    return await this.recoverer.inOrder(async () => {
      const inner = storage.withValues();
      return await this.recoverer.on((backend) => backend.check(inner));
    });
  }

  trim(storages: readonly RecoverableStorage[]): void {
    this.recoverer.inner.trim?.(storages.flatMap(({ inner }) => inner ?? []));
  }

  report(error: Error): void {
    this.recoverer.inner.report(error);
  }

  async time(record: () => void): Promise<Timing> {
    return await this.recoverer.inOrder(() => this.recoverer.on((inner) => inner.time(record)));
  }

  #interop(): Interop {
    const { interop } = this.recoverer.now();
    if (!interop) throw new DeviceError("this needs a WebGPU device");
    return interop;
  }

  #wrap(buffer: GPUBuffer, offset: number, shape: readonly number[], dtype: DType): RecoverableStorage {
    const inner = this.#interop().wrap(buffer, offset, shape, dtype);
    return this.track(new RecoverableStorage({ shape, dtype, what: () => "a caller's buffer" }, inner));
  }

  async #encode(encoder: GPUCommandEncoder, record: () => void): Promise<() => void> {
    const interop = this.#interop();
    const { generation } = this.recoverer;
    const submitted = await this.recoverer.on(() => interop.encode(encoder, record));
    return () => {
      // Of a device that is lost nothing is to be told.
      if (this.recoverer.generation === generation) submitted();
    };
  }

  async #draw(storage: RecoverableStorage, planes: Planes, target: DrawTarget): Promise<void> {
    const interop = this.#interop();
    const inner = storage.withValues();
    await this.recoverer.on(() => interop.draw(inner, planes, target));
  }

  async #compile(record: () => void): Promise<Sequence> {
    return await this.recoverer.inOrder(async () => {
      const recipe = new Recipe();
      const inner = await this.#compileNow(recipe, record);
      const sequence = new RecoveringSequence(this.recoverer, recipe, inner);
      this.recoverer.register(sequence);
      return sequence;
    });
  }

  /** Where the device is lost meanwhile, it is compiled on the next. */
  async #compileNow(recipe: Recipe, record: () => void): Promise<Sequence> {
    const { recoverer } = this;
    const recorded = { all: false, begun: false };
    const recording = (): void => {
      this.recipe = recipe;
      recorded.begun = true;
      try {
        record();
      } finally {
        this.recipe = undefined;
      }
      recorded.all = true;
    };
    const compile = (inner: Backend): Promise<Sequence> =>
      recorded.all ? replay(inner, recipe) : this.#interop().compile(recording);
    for (;;) {
      const { generation } = recoverer;
      try {
        return await recoverer.on(compile);
      } catch (error) {
        // What the recording itself has thrown is the caller's.
        if (!(error instanceof DeviceLostError) || recorded.begun !== recorded.all) throw error;
        recoverer.loseNow(error, generation);
        await recoverer.settled();
        if (!recoverer.hasDevice) throw error;
      }
    }
  }
}
