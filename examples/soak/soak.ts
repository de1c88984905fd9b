/** Operations, faults and what each may cost: every value that is read is right, and whatever had a copy is never lost. */
import { DeviceError, type Engine, type Tensor } from "webgpu-conv/node";
import { Random } from "../../test/support/data.js";
import type { DeviceSupply } from "./devices.js";
import { Faults, type Mortal } from "./faults.js";
import { compare, type HeldSequence, type Input, type Item } from "./items.js";
import { type Layer, type Role, SETS } from "./layers.js";

const MOST_LIVE = 40;
const MOST_SEQUENCES = 6;
const MOST_WAITING = 24;
const PAUSE_MILLISECONDS = 100;
const MOST_PAUSES = 30;

/** What was done, and what became of it. */
export type Counts = Record<string, number>;

export class Soak {
  readonly counts: Counts = {};
  readonly #engine: Engine;
  readonly #supply: DeviceSupply;
  readonly #layers: readonly Layer[];
  readonly #random: Random;
  #inputs: Input[] = [];
  #results: Item[] = [];
  #sequences: HeldSequence[] = [];
  #waiting: Promise<void>[] = [];
  readonly #faults = new Faults();
  #isRecovering = false;
  /** Rejects where a recovery fails. */
  readonly #failure: Promise<void>;

  constructor(engine: Engine, supply: DeviceSupply, layers: readonly Layer[], seed: number) {
    this.#engine = engine;
    this.#supply = supply;
    this.#layers = layers;
    this.#random = new Random(seed);
    this.#failure = this.#watch();
    this.#failure.catch(() => undefined);
  }

  /** Notes each loss, also of devices that are lost before they serve. Rejects where a recovery fails. */
  async #watch(): Promise<void> {
    for (;;) {
      const { recovered } = await this.#engine.lost;
      if (!recovered) return;
      this.#faults.losses += this.#faults.losses % 2 === 1 ? 1 : 2;
      this.#count("devices lost");
      this.#isRecovering = true;
      this.#count("tensors restored", (await recovered).restored);
      this.#isRecovering = false;
    }
  }

  /** One operation, or one fault. */
  async step(): Promise<void> {
    const layer = this.#random.pick(this.#layers);
    const moves: readonly (readonly [weight: number, name: string, move: () => Promise<void> | void])[] = [
      [20, "forward passes", () => this.#forward(layer)],
      [10, "input gradients", () => this.#inputGradient(layer)],
      [10, "weight gradients", () => this.#weightGradient(layer)],
      [14, "reads", () => this.#readSome()],
      [5, "writes", () => this.#write(layer)],
      [3, "snapshots", () => this.#snapshot()],
      [2, "sequences compiled", () => this.#compile(layer)],
      [8, "sequences run", () => this.#replay()],
      [3, "finishes", () => this.#finish()],
      [2, "waits called off", () => this.#cancel()],
      [1, "tunings asked for", () => this.#tune(layer)],
      [1.5, "moments to lose a device", () => this.#lose()],
      [1, "shortages of memory", () => this.#shorten()],
    ];
    let left = this.#random.next() * moves.reduce((sum, [weight]) => sum + weight, 0);
    const [, name, move] = moves.find(([weight]) => (left -= weight) < 0) ?? moves[0];
    this.#count(name);
    await move();
    while (this.#inputs.length > MOST_LIVE) this.#take(this.#inputs).tensor.dispose();
    while (this.#results.length > MOST_LIVE) this.#take(this.#results).tensor.dispose();
    if (this.#waiting.length >= MOST_WAITING) await this.#settle();
  }

  /** Reads all that is left, disposes of it, and checks that nothing stays behind. */
  async clear(): Promise<void> {
    this.#supply.noRoom = false;
    if (this.#faults.shortages % 2 === 1) this.#faults.shortages++;
    for (const item of [...this.#inputs, ...this.#results]) this.#read(item);
    await this.#settle();
    for (const { tensor } of [...this.#inputs.splice(0), ...this.#results.splice(0)]) tensor.dispose();
    for (const sequence of this.#sequences.splice(0)) this.#end(sequence);
    await this.#finish();
    // A sequence that is being compiled once more gives its memory back after that.
    for (let waited = 0; ; waited++) {
      await this.#finish();
      const { liveBytes, liveTensors } = this.#engine.memory();
      if (liveBytes === 0 && liveTensors === 0) return;
      if (waited === MOST_PAUSES)
        throw new Error(`${String(liveTensors)} tensors and ${String(liveBytes)} bytes are left behind`);
      await new Promise((resume) => setTimeout(resume, PAUSE_MILLISECONDS));
    }
  }

  #count(name: string, by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }

  #take<T>(list: T[]): T {
    return list.splice(this.#random.integer(0, list.length - 1), 1)[0];
  }

  async #settle(): Promise<void> {
    await Promise.race([Promise.all(this.#waiting.splice(0)), this.#failure]);
  }

  #input(layer: Layer, role: Role): Input {
    const held = this.#inputs.filter((input) => input.layer === layer && input.role === role);
    if (held.length > 0) return this.#random.pick(held);
    const set = this.#random.integer(0, SETS - 1);
    const kept = this.#random.next() < 0.7;
    const expected = layer.valuesOf(role, set);
    const tensor = this.#engine.tensor(expected, layer.shapeOf(role), { keep: kept });
    const input: Input = { tensor, layer, role, set, expected, kept, ...this.#faults.now() };
    this.#inputs.push(input);
    return input;
  }

  #result(layer: Layer, tensor: Tensor, expected: ArrayLike<number>, operands: readonly Item[]): void {
    this.#results.push({ tensor, layer, expected, kept: false, ...this.#faults.of(operands) });
  }

  #forward(layer: Layer): void {
    const [x, w] = [this.#input(layer, "x"), this.#input(layer, "w")];
    const y = this.#engine.conv2d(x.tensor, w.tensor, layer.described.options);
    this.#result(layer, y, layer.forward(x.set, w.set), [x, w]);
  }

  #inputGradient(layer: Layer): void {
    const [dy, w] = [this.#input(layer, "dy"), this.#input(layer, "w")];
    const { input, options } = layer.described;
    const dx = this.#engine.conv2dInputGradient(dy.tensor, w.tensor, input, options);
    this.#result(layer, dx, layer.inputGradient(dy.set, w.set), [dy, w]);
  }

  #weightGradient(layer: Layer): void {
    const [dy, x] = [this.#input(layer, "dy"), this.#input(layer, "x")];
    const { weight, options } = layer.described;
    const dw = this.#engine.conv2dWeightGradient(dy.tensor, x.tensor, weight, options);
    this.#result(layer, dw, layer.weightGradient(dy.set, x.set), [dy, x]);
  }

  #readSome(): void {
    if (this.#results.length > 0) this.#read(this.#random.pick(this.#results));
    if (this.#inputs.length > 0) this.#read(this.#random.pick(this.#inputs));
  }

  /** The values come right, or the fault that cost them is named. */
  #read(item: Item): void {
    // As it is now: it may get other values before these arrive.
    const asked = { ...item };
    const read = asked.tensor.data().then(
      (values) => {
        this.#count("values compared", values.length);
        compare(asked, values);
      },
      (error: unknown) => this.#excuse(error, asked),
    );
    // It is awaited later; until then a rejection must have a handler.
    read.catch(() => undefined);
    this.#waiting.push(read);
  }

  /** Throws an error that no fault explains. */
  #excuse(error: unknown, ...items: readonly Mortal[]): void {
    this.#count(this.#faults.explain(error, items));
  }

  async #write(layer: Layer): Promise<void> {
    const input = this.#input(layer, this.#random.pick(["x", "w", "dy"]));
    const set = this.#random.integer(0, SETS - 1);
    const faults = this.#faults.now();
    const expected = layer.valuesOf(input.role, set);
    // Where the write is lost, the old values may be, too.
    Object.assign(input, { set, expected, losses: Math.max(input.losses, faults.losses) });
    try {
      await this.#engine.write(input.tensor, expected);
    } catch (error) {
      this.#excuse(error, { ...faults, kept: input.kept, shortages: input.shortages });
    }
  }

  async #snapshot(): Promise<void> {
    if (this.#results.length === 0) return;
    const items = [this.#random.pick(this.#results), this.#random.pick(this.#results)];
    const before = this.#faults.now();
    try {
      await this.#engine.snapshot(items.map(({ tensor }) => tensor));
      for (const item of items) item.kept = true;
    } catch (error) {
      this.#excuse(error, ...items, { ...before, kept: false });
    }
  }

  async #compile(layer: Layer): Promise<void> {
    if (this.#sequences.length >= MOST_SEQUENCES) this.#end(this.#take(this.#sequences));
    const make = (role: Role): Input => {
      const expected = layer.valuesOf(role, 0);
      const tensor = this.#engine.tensor(expected, layer.shapeOf(role), { keep: true });
      return { tensor, layer, role, set: 0, expected, kept: true, ...this.#faults.now() };
    };
    const [x, w] = [make("x"), make("w")];
    const before = this.#faults.now();
    try {
      const compiled = await this.#engine.compile(() =>
        this.#engine.conv2d(x.tensor, w.tensor, layer.described.options),
      );
      this.#sequences.push({ layer, x, w, compiled });
    } catch (error) {
      this.#excuse(error, { ...before, kept: true });
      for (const { tensor } of [x, w]) tensor.dispose();
    }
  }

  #replay(): void {
    if (this.#sequences.length === 0) return;
    const sequence = this.#random.pick(this.#sequences);
    const { layer, x, w, compiled } = sequence;
    const before = { ...this.#faults.now(), shortages: Math.min(x.shortages, w.shortages) };
    try {
      compiled.run();
    } catch (error) {
      this.#excuse(error, { ...before, kept: true });
      this.#sequences.splice(this.#sequences.indexOf(sequence), 1);
      this.#end(sequence);
      return;
    }
    const expected = layer.forward(x.set, w.set);
    this.#read({ tensor: compiled.result, layer, expected, ...before, kept: false });
  }

  #end({ compiled, x, w }: HeldSequence): void {
    compiled.dispose();
    for (const tensor of [compiled.result, x.tensor, w.tensor]) tensor.dispose();
  }

  async #finish(): Promise<void> {
    try {
      await this.#engine.finish();
    } catch (error) {
      // It tells of work that was lost since it was last asked.
      if (!(error instanceof DeviceError)) throw error;
      this.#count("finishes that told of a fault");
    }
  }

  /** What waits is called off, at some moment. */
  async #cancel(): Promise<void> {
    this.#faults.cancels++;
    const controller = new AbortController();
    const finishing = this.#engine.finish({ signal: controller.signal });
    setTimeout(() => controller.abort(new Error("on purpose")), this.#random.integer(0, 20));
    try {
      await finishing;
    } catch (error) {
      if (!(error instanceof DeviceError) && String(error) !== "Error: on purpose") throw error;
    }
    this.#faults.cancels++;
  }

  async #tune(layer: Layer): Promise<void> {
    const { input, weight, options } = layer.described;
    if (this.#random.next() > 0.1) return;
    const before = this.#faults.now();
    try {
      await this.#engine.tuning.tune("conv2d", { input, weight }, options);
    } catch (error) {
      this.#excuse(error, { ...before, kept: false });
    }
  }

  async #lose(): Promise<void> {
    // Only a device that serves can be lost here: those that are lost before that, the supply hands out by itself.
    if (this.#faults.losses % 2 === 1 || this.#isRecovering) return;
    this.#faults.losses++;
    const { lost } = this.#engine;
    this.#supply.lose();
    if (this.#random.next() < 0.5) await (await lost).recovered;
  }

  #shorten(): void {
    this.#faults.shortages++;
    this.#supply.noRoom = this.#faults.shortages % 2 === 1;
  }
}
