/** Values that mean nothing to a call: for every kind of argument those that it must refuse. */
import { type Engine, Tensor } from "webgpu-conv";
import type { Random } from "./data.js";

class Zebra {
  readonly #stripes = 1;
  count(): number {
    return this.#stripes;
  }
}

/** Kinds of arguments and options, by what is valid for them. */
export type Kind =
  | "tensor"
  | "shape"
  | "data"
  | "extents"
  | "count"
  | "boolean"
  | "function"
  | "anyFunction"
  | "options"
  | "perAxis"
  | "padding"
  | "word"
  | "activation"
  | "solver"
  | "backwardSolver"
  | "real"
  | "positive"
  | "bytes"
  | "extra"
  | "range"
  | "perChannel"
  | "object"
  | "layers"
  | "numbers"
  | "bound";

/** What junk is made of. */
export interface JunkSources {
  readonly engine: Engine;
  readonly foreign: Tensor;
  readonly disposed: Tensor;
}

/** Thrown by getters of the junk's own: it must come through as it is. */
export const OWN_ERROR = new Error("the caller's own");

const throwOwn = (): never => {
  throw OWN_ERROR;
};

function nested(depth: number): unknown {
  let list: unknown = 1;
  for (let i = 0; i < depth; i++) list = [list];
  return list;
}

function cyclic(): unknown {
  const list: unknown[] = [1];
  list.push(list);
  return list;
}

const JUNK: Readonly<Record<string, (sources: JunkSources) => unknown>> = {
  null: () => null,
  NaN: () => NaN,
  Infinity: () => Infinity,
  "-1": () => -1,
  "0.5": () => 0.5,
  "2^53": () => 2 ** 53,
  "3n": () => 3n,
  true: () => true,
  '"zebra"': () => "zebra",
  '""': () => "",
  "a symbol": () => Symbol("zebra"),
  "[]": () => [],
  "[[]]": () => [[]],
  "[NaN, NaN]": () => [NaN, NaN],
  "[1n]": () => [1n],
  "four holes": () => new Array<number>(4),
  "a list in itself": cyclic,
  "20,000 lists": () => nested(20_000),
  "{}": () => ({}),
  "{ zebra: 1 }": () => ({ zebra: 1 }),
  "no prototype": () => Object.create(null) as unknown,
  "a proxy": () => new Proxy({}, {}),
  "a proxy that throws": () =>
    new Proxy({}, { get: throwOwn, has: throwOwn, getPrototypeOf: throwOwn, ownKeys: throwOwn }),
  "a function": () => () => 0,
  "an async function": () => () => Promise.reject(OWN_ERROR),
  "a date": () => new Date(NaN),
  "a map": () => new Map([["stride", 2]]),
  "a set": () => new Set([1]),
  "a promise": () => Promise.resolve(1),
  "a pattern": () => /zebra/,
  "a boxed number": () => Object(2) as unknown,
  "a boxed text": () => Object("same") as unknown,
  bigints: () => new BigInt64Array(4),
  "a buffer": () => new ArrayBuffer(16),
  "a view": () => new DataView(new ArrayBuffer(16)),
  "an instance": () => new Zebra(),
  "a lookalike of a tensor": () => Object.create(Tensor.prototype) as unknown,
  "another engine's tensor": ({ foreign }) => foreign,
  "a tensor disposed of": ({ disposed }) => disposed,
  "an engine": ({ engine }) => engine,
};

const EMPTY = ["{}", "no prototype", "a proxy"];
const NUMBERS = ["NaN", "Infinity", "-1", "0.5", "2^53"];
const LISTS = ["[]", "[NaN, NaN]"];

/** Junk that does mean something to a kind. */
const VALID: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  boolean: ["true"],
  function: ["a function"],
  anyFunction: ["a function", "an async function"],
  perChannel: ["-1", "0.5", "2^53"],
  options: EMPTY,
  backwardSolver: EMPTY,
  real: ["-1", "0.5", "2^53"],
  positive: ["0.5", "2^53"],
  bytes: ["Infinity", "0.5", "2^53"],
  layers: ["[]"],
  numbers: LISTS,
  bound: [...NUMBERS, "[NaN, NaN]"],
};

const NO_COUNTS: readonly unknown[] = [0, -3, 1.5, "2", [0, 1], [1.5, 1], [1, 1, 1, 1], ["1", 1], new Float32Array(7)];

/** What is nearly right, and is not. */
const NEARLY: Readonly<Partial<Record<Kind, readonly unknown[]>>> = {
  shape: [4, "4", [0.5, 1, 1, 1], [1, -1, 1, 1], [1, 1, 1, "1"], [2 ** 27, 2 ** 27], new Float64Array(7)],
  data: [
    [1, 2, 3, 4, 5, 6, 7],
    new Float32Array(7),
    [1, 2, "3"],
    "123456789",
    { length: 9 },
    new Array(9),
    [[1, 2], [3]],
  ],
  count: NO_COUNTS,
  perAxis: [...NO_COUNTS, 2 ** 31],
  extra: [1, -1, 0.5, "1", [0, 0, 0, 0]],
  extents: ["33", 3, [0.5, 3], [3, 0], [3n], new Float64Array(2)],
  perChannel: ["0.5", [1, 2], ["1", "1", "1"], [0, 1, NaN]],
  padding: [
    -1,
    0.5,
    "SAME",
    "full",
    [1, -1],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
    [1, 1, 1, 1, 1],
    [
      [0.5, 0],
      [0, 0],
    ],
    ["1", "1"],
  ],
  word: ["NHWC ", "zeros ", "relu", 0, ["zeros"], Object("zeros")],
  activation: [
    "ReLU",
    "prelu",
    { name: "relu", negativeSlope: 0.2 },
    { name: "clamp", min: 2, max: 1 },
    { nam: "relu" },
    ["relu"],
  ],
  solver: [
    "fft",
    { name: "fft" },
    { name: 5 },
    { name: "direct", config: { rows: 1 } },
    { name: "direct", config: 5 },
    ["direct"],
  ],
  backwardSolver: ["fft", { input: "fft" }, { weight: { name: "fft" } }, { inputs: "direct" }, { input: 5 }],
  real: ["1", [1]],
  range: [[1, 0], [0], [0, 1, 2], ["0", 1], [0, 0]],
};

/** Something that a call must refuse in the place of an argument of this kind, and what it is. */
export function junkFor(kind: Kind, random: Random, sources: JunkSources): readonly [label: string, value: unknown] {
  const nearly = NEARLY[kind];
  if (nearly && random.next() < 0.4) {
    const index = random.integer(0, nearly.length - 1);
    return [`${kind} ${String(index)}`, nearly[index]];
  }
  const labels = Object.keys(JUNK).filter((label) => !(VALID[kind] ?? []).includes(label));
  const label = random.pick(labels);
  return [label, JUNK[label](sources)];
}

/** Anything at all. */
export function anyJunk(random: Random, sources: JunkSources): readonly [label: string, value: unknown] {
  const label = random.pick(Object.keys(JUNK));
  return [label, JUNK[label](sources)];
}
