/** A seeded mix of everything that an engine does, on few small layers, with every value known. */
import { ConvError, type Engine } from "webgpu-conv";
import { Random } from "./data.js";
import { exactMismatch } from "./mismatch.js";
import { DEPTHWISE, FULL, type Input, type Role, SETS, Stock, type Values } from "./soakStock.js";

/** Tensors of a kind that live at a time. */
const MOST_LIVE = 12;
/** Reads that wait at a time. */
const MOST_WAITING = 32;

type Move = (stock: Stock) => Promise<void> | void;

/** Runs operation after operation; throws at the first that gives a wrong value, or that fails where it should not. */
export class Soak {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #stocks: readonly Stock[];
  readonly #moves: readonly (readonly [weight: number, move: Move])[];
  #waiting: Promise<void>[] = [];

  constructor(engine: Engine, seed: number) {
    this.#engine = engine;
    this.#random = new Random(seed);
    this.#stocks = [new Stock(FULL, "float32"), new Stock(DEPTHWISE, "float16")];
    this.#moves = [
      [10, (stock) => void this.#upload(stock, this.#random.pick(["x", "w", "dy", "bias"]))],
      [18, (stock) => this.#forward(stock)],
      [8, (stock) => this.#inputGradient(stock)],
      [8, (stock) => this.#weightGradient(stock)],
      [5, (stock) => this.#backward(stock)],
      [4, (stock) => this.#activate(stock)],
      [4, (stock) => this.#write(stock)],
      [10, (stock) => this.#read(stock)],
      [1, (stock) => this.#check(stock)],
      [10, (stock) => this.#release(stock)],
      [1, (stock) => this.#sequence(stock)],
      [3, (stock) => this.#encode(stock)],
      [0.5, (stock) => this.#time(stock)],
      [2, (stock) => this.#scope(stock)],
      [1, () => this.#engine.submit()],
      [1, () => this.#engine.finish()],
      [2, (stock) => this.#explain(stock)],
      [8, (stock) => this.#mistake(stock)],
    ];
  }

  /** One operation. */
  async step(): Promise<void> {
    const stock = this.#random.pick(this.#stocks);
    let left = this.#random.next() * this.#moves.reduce((sum, [weight]) => sum + weight, 0);
    const [, move] = this.#moves.find(([weight]) => (left -= weight) < 0) ?? this.#moves[0];
    await move(stock);
    while (stock.inputs.length > MOST_LIVE) this.#take(stock.inputs).tensor.dispose();
    while (stock.results.length > MOST_LIVE) this.#take(stock.results).tensor.dispose();
    if (this.#waiting.length >= MOST_WAITING) await this.#settle();
  }

  /** Waits for everything, and disposes of it. */
  async clear(): Promise<void> {
    for (const { inputs, results } of this.#stocks) {
      for (const { tensor } of [...inputs.splice(0), ...results.splice(0)]) tensor.dispose();
    }
    await this.#settle();
    await this.#engine.finish();
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#waiting.splice(0));
  }

  #take<T>(list: T[]): T {
    return list.splice(this.#random.integer(0, list.length - 1), 1)[0];
  }

  #upload(stock: Stock, role: Role): Input {
    const set = this.#random.integer(0, SETS - 1);
    const tensor = this.#engine.tensor(stock.valuesOf(role, set), stock.shapeOf(role), { dtype: stock.dtype });
    const input = { tensor, role, set };
    stock.inputs.push(input);
    return input;
  }

  #input(stock: Stock, role: Role): Input {
    const held = stock.inputs.filter((input) => input.role === role);
    return held.length > 0 ? this.#random.pick(held) : this.#upload(stock, role);
  }

  #forward(stock: Stock): void {
    const [x, w] = [this.#input(stock, "x"), this.#input(stock, "w")];
    const bias = this.#random.next() < 0.5 ? this.#input(stock, "bias") : undefined;
    const fused = bias && { bias: bias.tensor, activation: "relu" as const };
    const tensor = this.#engine.conv2d(x.tensor, w.tensor, { ...stock.layer.options, ...fused });
    stock.results.push({ tensor, expected: stock.forward(x.set, w.set, bias?.set) });
  }

  #inputGradient(stock: Stock): void {
    const [dy, w] = [this.#input(stock, "dy"), this.#input(stock, "w")];
    const { options, input } = stock.layer;
    const tensor =
      this.#random.next() < 0.5
        ? this.#engine.convTranspose2d(dy.tensor, w.tensor, { ...options, outputSize: input.slice(2) })
        : this.#engine.conv2dInputGradient(dy.tensor, w.tensor, input, options);
    stock.results.push({ tensor, expected: stock.inputGradient(dy.set, w.set) });
  }

  #weightGradient(stock: Stock): void {
    const [dy, x] = [this.#input(stock, "dy"), this.#input(stock, "x")];
    const { options, weight } = stock.layer;
    const tensor = this.#engine.conv2dWeightGradient(dy.tensor, x.tensor, weight, options);
    stock.results.push({ tensor, expected: stock.weightGradient(dy.set, x.set) });
  }

  #backward(stock: Stock): void {
    const [dy, x, w] = [this.#input(stock, "dy"), this.#input(stock, "x"), this.#input(stock, "w")];
    const { input, weight, bias } = this.#engine.conv2dBackward(dy.tensor, x.tensor, w.tensor, stock.layer.options);
    stock.results.push({ tensor: input, expected: stock.inputGradient(dy.set, w.set) });
    stock.results.push({ tensor: weight, expected: stock.weightGradient(dy.set, x.set) });
    stock.results.push({ tensor: bias, expected: stock.biasGradient(dy.set) });
  }

  #activate(stock: Stock): void {
    const x = this.#input(stock, "x");
    stock.results.push({ tensor: this.#engine.activate(x.tensor, "relu"), expected: stock.relu(x.set) });
  }

  async #write(stock: Stock): Promise<void> {
    const input = this.#input(stock, this.#random.pick(["x", "w", "dy", "bias"]));
    input.set = this.#random.integer(0, SETS - 1);
    await this.#engine.write(input.tensor, stock.valuesOf(input.role, input.set));
  }

  /** Reads a result, or what an input holds; some are disposed of while the read waits. */
  #read(stock: Stock): void {
    if (stock.results.length === 0) this.#forward(stock);
    const result = this.#take(stock.results);
    this.#expect(stock, result.tensor.data(), result.expected);
    if (this.#random.next() < 0.5) result.tensor.dispose();
    else stock.results.push(result);
    const { tensor, role, set } = this.#input(stock, this.#random.pick(["x", "w", "dy", "bias"]));
    this.#expect(stock, tensor.data(), stock.valuesOf(role, set));
  }

  #expect({ layer, dtype }: Stock, values: Promise<Values>, expected: Values): void {
    const compared = values.then((actual) => {
      const mismatch = exactMismatch(actual, expected);
      if (mismatch !== undefined) throw new Error(`${layer.name} in ${dtype}: ${mismatch}`);
    });
    // Seen where it is awaited; until then no rejection without a handler.
    compared.catch(() => undefined);
    this.#waiting.push(compared);
  }

  async #check(stock: Stock): Promise<void> {
    const x = this.#input(stock, "x");
    const { infinite, nan, largest } = await this.#engine.check(x.tensor);
    if (infinite + nan !== 0 || largest !== 1)
      throw new Error(`check says ${JSON.stringify({ infinite, nan, largest })}`);
  }

  #release({ inputs, results }: Stock): void {
    if (inputs.length > 0) this.#take(inputs).tensor.dispose();
    if (results.length > 0) this.#take(results).tensor.dispose();
  }

  /** Compiles a layer and its gradients, runs it on old and new values, and disposes of it. */
  async #sequence(stock: Stock): Promise<void> {
    const [x, w, dy] = (["x", "w", "dy"] as const).map((role) => this.#input(stock, role));
    const { options, weight } = stock.layer;
    const compiled = await this.#engine.compile(() => {
      this.#engine.conv2dInputGradient(dy.tensor, w.tensor, stock.layer.input, options).dispose();
      return [
        this.#engine.conv2d(x.tensor, w.tensor, options),
        this.#engine.conv2dWeightGradient(dy.tensor, x.tensor, weight, options),
      ];
    });
    for (let run = 0; run < 2; run++) {
      x.set = this.#random.integer(0, SETS - 1);
      await this.#engine.write(x.tensor, stock.valuesOf("x", x.set));
      compiled.run();
      this.#expect(stock, compiled.result[0].data(), stock.forward(x.set, w.set));
      this.#expect(stock, compiled.result[1].data(), stock.weightGradient(dy.set, x.set));
    }
    compiled.dispose();
    for (const tensor of compiled.result) tensor.dispose();
  }

  /** What is made within is given back, but for what is returned. */
  #scope(stock: Stock): void {
    const [x, w] = [this.#input(stock, "x"), this.#input(stock, "w")];
    const tensor = this.#engine.scope((local) => {
      local.activate(local.conv2d(x.tensor, w.tensor, stock.layer.options), "relu");
      return local.conv2d(x.tensor, w.tensor, stock.layer.options);
    });
    stock.results.push({ tensor, expected: stock.forward(x.set, w.set) });
  }

  /** Into an encoder of the caller's, which is submitted or given up. */
  async #encode(stock: Stock): Promise<void> {
    const { device } = this.#engine;
    if (!device) throw new Error("no device");
    const [x, w] = [this.#input(stock, "x"), this.#input(stock, "w")];
    const encoder = device.createCommandEncoder();
    const options = stock.layer.options;
    const { result, submitted } = await this.#engine.encode(encoder, () =>
      this.#engine.conv2d(x.tensor, w.tensor, options),
    );
    const submits = this.#random.next() < 0.7;
    if (submits) device.queue.submit([encoder.finish()]);
    submitted();
    if (submits) stock.results.push({ tensor: result, expected: stock.forward(x.set, w.set) });
    else result.dispose();
  }

  async #time(stock: Stock): Promise<void> {
    const { milliseconds } = await this.#engine.time(() => this.#forward(stock));
    if (!(milliseconds >= 0)) throw new Error(`time says ${String(milliseconds)}`);
  }

  #explain({ layer: { input, weight, options } }: Stock): void {
    const name = this.#random.pick(["conv2d", "conv2dInputGradient", "conv2dWeightGradient"] as const);
    this.#engine.explain(name, { input, weight }, options);
  }

  /** A call that must be refused, and leave everything as it was. */
  async #mistake(stock: Stock): Promise<void> {
    const engine = this.#engine;
    const { device } = engine;
    if (!device) throw new Error("no device");
    const [x, w] = [this.#input(stock, "x").tensor, this.#input(stock, "w").tensor];
    const fail = (): never => {
      engine.conv2d(x, w, stock.layer.options).dispose();
      throw new ConvError("thrown on purpose");
    };
    const leaveBehind = (local: Engine): never => {
      local.conv2d(x, w, stock.layer.options);
      throw new ConvError("thrown on purpose");
    };
    const gone = engine.tensor([1], [1]);
    gone.dispose();
    const mistakes: readonly (() => unknown)[] = [
      () => engine.tensor([1, 2, 3], [2, 2]),
      () => engine.conv2d(x, w, { ...stock.layer.options, groups: 3 }),
      () => engine.conv2d(x, w, { ...stock.layer.options, stride: 0 }),
      () => engine.conv2d(x, gone),
      () => engine.conv2d(x, w, { ...stock.layer.options, solver: "none such" }),
      () => engine.conv2dInputGradient(x, w, [1, 2, 3, 4], stock.layer.options),
      () => gone.data(),
      () => engine.write(x, [1]),
      () => engine.compile(fail),
      () => engine.time(fail),
      () => engine.scope(leaveBehind),
      () => engine.encode(device.createCommandEncoder(), fail),
    ];
    const mistake = this.#random.pick(mistakes);
    try {
      await mistake();
    } catch (error) {
      if (error instanceof ConvError) return;
      throw error;
    }
    throw new Error(`not refused: ${String(mistake)}`);
  }
}
