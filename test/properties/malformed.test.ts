/**
 * 15,000 malformed calls of every public method and helper: each is refused by an error of ours, or by the caller's own,
 * and leaves nothing behind. Each call follows from its seed alone: `CONV_SEED=123` runs the calls of that seed.
 */
import { expect } from "vitest";
import { ConvError, createEngine, type Engine, Tensor } from "webgpu-conv";
import { Random } from "../support/data.js";
import { deviceOf, gpuTest } from "../support/gpuTest.js";
import { anyJunk, type JunkSources, junkFor, OWN_ERROR } from "../support/junk.js";
import { type CallTensors, engineCalls, helperCalls, type Part, type PublicCall } from "../support/publicCalls.js";
import { seedsToRun } from "../support/seeds.js";

const SEEDS = 150;
const CALLS_A_SEED = 100;

interface Malformed {
  /** What was done to the valid call, in words. */
  readonly what: string;
  readonly args: readonly unknown[];
  /** Whether it may be accepted after all: of junk alone nobody knows. */
  readonly mayPass: boolean;
}

const UNKNOWN_KEYS = ["strides", "pads", "group", "data_format", "zebra", "toString", "", "__zebra__"];

/** The valid argument with one thing about it changed into what must be refused. */
function spoil(part: Part, random: Random, sources: JunkSources): readonly [what: string, value: unknown] {
  const { options } = part;
  if (!options || random.next() < 0.25) return junkFor(part.kind, random, sources);
  const valid = part.valid as Readonly<Record<string, unknown>>;
  if (random.next() < 0.25) {
    const key = random.pick(UNKNOWN_KEYS.filter((name) => !(name in options)));
    return [`unknown ${key}`, { ...valid, [key]: 1 }];
  }
  const name = random.pick(Object.keys(options));
  const [what, value] = spoil(options[name], random, sources);
  return [`${name}: ${what}`, { ...valid, [name]: value }];
}

function malformed({ parts, required }: PublicCall, random: Random, sources: JunkSources): Malformed {
  const way = random.next();
  if (way < 0.1) {
    const made = parts.map(() => anyJunk(random, sources));
    const count = random.integer(0, parts.length + 1);
    const some = made.slice(0, count);
    return { what: some.map(([what]) => what).join(", "), args: some.map(([, value]) => value), mayPass: true };
  }
  const valid = parts.map((part) => part.valid);
  if (way < 0.15 && required > 0) {
    const left = random.integer(0, required - 1);
    return { what: `${String(left)} arguments`, args: valid.slice(0, left), mayPass: false };
  }
  const at = random.integer(0, parts.length - 1);
  const [what, value] = spoil(parts[at], random, sources);
  const spoilt = valid.map((one, i) => (i === at ? value : one));
  return { what: `argument ${String(at)}: ${what}`, args: spoilt, mayPass: false };
}

/** What is wrong with how a malformed call was met; undefined if nothing is. */
async function flawOf({ name, call }: PublicCall, { what, args, mayPass }: Malformed): Promise<string | undefined> {
  let result: unknown;
  try {
    result = call(...(args as never[]));
    if (result instanceof Promise) result = await (result as Promise<unknown>);
  } catch (error) {
    if (error instanceof ConvError || error === OWN_ERROR) return undefined;
    return `${name}, ${what}: untyped ${error instanceof Error ? `${String(error)}\n${error.stack ?? ""}` : String(error)}`;
  }
  disposeAll(result);
  return mayPass ? undefined : `${name}, ${what}: accepted`;
}

function disposeAll(result: unknown): void {
  if (Tensor.isTensor(result)) result.dispose();
  else if (typeof result === "object" && result !== null && "dispose" in result) (result as Engine).dispose();
}

interface Subject {
  readonly calls: readonly PublicCall[];
  /** Memory in use, as it was before the calls and must be after them. */
  readonly memory: () => Promise<unknown>;
  readonly end: () => void;
}

/** An engine with what its valid calls need; GPU objects are there for the CPU's to refuse. */
function makeSubject(engine: Engine, device: GPUDevice): Subject {
  const zeros = (shape: readonly number[]): Tensor =>
    engine.tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape);
  const [x, w, dy, bias] = [zeros([1, 2, 4, 4]), zeros([3, 2, 3, 3]), zeros([1, 3, 2, 2]), zeros([3])];
  const [line, volume, unshared] = [zeros([1, 1, 5]), zeros([1, 1, 2, 2, 2]), zeros([2, 2, 3, 2, 3, 3])];
  const buffer = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE });
  const { RENDER_ATTACHMENT } = GPUTextureUsage;
  const target = device.createTexture({ size: [1, 1], format: "rgba8unorm", usage: RENDER_ATTACHMENT });
  const tensors: CallTensors = {
    ...{ x, w, dy, bias, line, volume, unshared },
    ...{ buffer, target, encoder: device.createCommandEncoder() },
  };
  const memory = async (): Promise<unknown> => {
    await engine.finish();
    const { liveTensors, liveBytes } = engine.memory();
    return { liveTensors, liveBytes };
  };
  const end = (): void => {
    for (const tensor of [x, w, dy, bias, line, volume, unshared]) tensor.dispose();
    buffer.destroy();
    target.destroy();
  };
  return { calls: engineCalls(engine, tensors), memory, end };
}

gpuTest("malformed calls are refused in our words, and leave nothing behind", async ({ engine: shared }) => {
  const device = deviceOf(shared);
  using engine = await createEngine({ device, onWarning: () => undefined });
  using cpu = await createEngine({ backend: "cpu", onWarning: () => undefined });
  using other = await createEngine({ backend: "cpu" });
  const subjects = [makeSubject(engine, device), makeSubject(cpu, device)];
  const disposed = engine.tensor([1], [1]);
  disposed.dispose();
  const sources: JunkSources = { engine: other, foreign: other.tensor(new Float32Array(16), [1, 1, 4, 4]), disposed };
  const [onGpu, onCpu] = subjects;
  const calls = [onGpu.calls, onGpu.calls, onCpu.calls, helperCalls()];
  const memory = async (): Promise<unknown> => await Promise.all(subjects.map((subject) => subject.memory()));
  const before = await memory();
  const flaws: string[] = [];
  for (const seed of seedsToRun(SEEDS)) {
    const random = new Random(seed);
    const met = Array.from({ length: CALLS_A_SEED }, async () => {
      const call = random.pick(random.pick(calls));
      return await flawOf(call, malformed(call, random, sources));
    });
    for (const flaw of await Promise.all(met)) if (flaw !== undefined) flaws.push(`CONV_SEED=${String(seed)}: ${flaw}`);
  }
  expect(flaws).toEqual([]);
  expect(await memory()).toEqual(before);
  using x = engine.tensor([1, 2, 3, 4], [1, 1, 2, 2]);
  using w = engine.tensor([10], [1, 1, 1, 1]);
  using y = engine.conv2d(x, w);
  expect([...(await y.data())]).toEqual([10, 20, 30, 40]);
  for (const subject of subjects) subject.end();
});
