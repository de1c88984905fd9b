/** The command: makes the network and the volume, trains, segments, and tells what that took. */
import { writeFile } from "node:fs/promises";
import { CommanderError } from "commander";
import { ConvError, type Engine, type EngineOptions } from "webgpu-conv";
import {
  adam,
  explainNetwork,
  loadState,
  type Module,
  parametersOf,
  readTensors,
  stateOf,
  type StateTensors,
} from "webgpu-conv/nn";
import { startProgress } from "../benchmark/progress.js";
import { EXIT, Interrupted, untilInterrupted } from "../filters/endings.js";
import { PictureError } from "../filters/pictureFile.js";
import { type Arguments, parseArguments } from "./arguments.js";
import { extentsOf, voxelsOf } from "./blocks.js";
import { blocksWithin, MemoryError, PeakMemory } from "./memory.js";
import { CLASSES, HALO, makeMeshNet } from "./network.js";
import { npyOf } from "./npy.js";
import { makePhantom, type Volume } from "./phantom.js";
import { segmentVolume } from "./segmentVolume.js";
import { writeSlice } from "./slicePicture.js";
import { disposeAll, lossOf, trainStep } from "./training.js";

const MIB = 2 ** 20;

export type MakeEngine = (options: EngineOptions) => Promise<Engine>;

/** Runs the command line `words` and gives the exit status; what the user can mend is told, not thrown. */
export async function run(words: readonly string[], makeEngine: MakeEngine): Promise<number> {
  try {
    return await segmentByCommand(parseArguments(words), makeEngine);
  } catch (error) {
    // Commander has told already, and says what to exit with: 0 for help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.couldNotRun;
    if (error instanceof Interrupted) {
      console.error("\ninterrupted: nothing is written");
      return EXIT.interrupted;
    }
    if (!(error instanceof Error)) throw error;
    // A file's error has a code.
    const isTheUsers =
      error instanceof ConvError || error instanceof MemoryError || error instanceof PictureError || "code" in error;
    if (!isTheUsers) throw error;
    console.error(`${error.name}: ${error.message}`);
    return EXIT.couldNotRun;
  }
}

async function segmentByCommand(options: Arguments, makeEngine: MakeEngine): Promise<number> {
  const { size, channels, mib, seed, train, labels, picture } = options;
  const volume = makePhantom(size, seed);
  console.log(`volume   ${size.join(" x ")}, seed ${String(seed)}: ${shares(volume.labels)}`);
  /** An engine for each: what one leaves in its pool is not beside what the other takes. */
  const withNetwork = async <Result>(use: (engine: Engine, network: Module) => Promise<Result>): Promise<Result> => {
    // What is given back is kept, so that all that was ever taken shows.
    using engine = await makeEngine({ poolBytes: mib * MIB });
    return await use(engine, await makeMeshNet(engine, channels, seed));
  };
  return untilInterrupted(async (signal) => {
    const learned =
      train === undefined
        ? undefined
        : await withNetwork((engine, network) => learn(engine, network, volume, { ...options, train }, signal));
    const found = await withNetwork(async (engine, network) => {
      if (learned) await loadState(network, learned.weights);
      describeNetwork(engine, network, options);
      return segment(engine, network, volume, options, signal);
    });
    if (labels !== undefined) {
      await writeFile(labels, npyOf(found, size));
      console.log(`wrote    ${labels}`);
    }
    if (picture !== undefined) {
      await writeSlice(picture, volume, found);
      console.log(`wrote    ${picture}: the middle slice, its classes, and those found`);
    }
    return learned?.hasFallen === false ? EXIT.wrongResult : EXIT.fine;
  });
}

function describeNetwork(engine: Engine, network: Module, { channels, size }: Arguments): void {
  const { weights, multiplyAdds, layers } = explainNetwork(network, [1, 1, ...size]);
  const field = layers.at(-1)?.receptiveField ?? [];
  console.log(`adapter  ${engine.adapter.description}`);
  console.log(
    `network  ${String(channels)} channels, ${weights.toLocaleString("en")} weights, ${giga(multiplyAdds)} GMAC for the whole volume; ` +
      `a voxel's class depends on ${field.join(" x ")}: a halo of ${String(HALO)}`,
  );
}

interface Learned {
  readonly weights: StateTensors;
  readonly hasFallen: boolean;
}

/** @returns the weights, and whether the loss fell */
async function learn(
  engine: Engine,
  network: Module,
  volume: Volume,
  { size, channels, mib, train, lr }: Arguments & { readonly train: number },
  signal: AbortSignal,
): Promise<Learned> {
  const blocks = blocksWithin(size, channels, mib * MIB);
  const peak = new PeakMemory(engine);
  using optimizer = adam(engine, parametersOf(network), { lr });
  const progress = startProgress((train + 1) * blocks.length);
  let done = 0;
  let step = 0;
  const onBlock = (): void => {
    peak.look();
    progress.update(++done, step < train ? `step ${String(step + 1)} of ${String(train)}` : "the loss after them");
  };
  const losses: number[] = [];
  const start = performance.now();
  let seconds = 0;
  try {
    for (; step < train; step++)
      losses.push(await trainStep(engine, network, optimizer, volume, blocks, { signal, onBlock }));
    await engine.finish();
    seconds = (performance.now() - start) / 1000;
    const { loss, gradients } = await lossOf(engine, network, volume, blocks, { signal, onBlock });
    disposeAll(gradients);
    losses.push(loss);
  } finally {
    progress.stop();
  }
  const crop = extentsOf(blocks[0].crop);
  console.log(
    `blocks   ${String(blocks.length)}, computed from ${crop.join(" x ")} voxels each, ${times(blocks.length * voxelsOf(crop), volume)}`,
  );
  console.log(
    `trained  ${String(train)} ${train === 1 ? "step" : "steps"} in ${seconds.toFixed(1)} s, ${mebi(peak.bytes)} MiB on the device at most`,
  );
  console.log(`loss     ${losses[0].toFixed(4)} before, ${losses[train].toFixed(4)} after`);
  const hasFallen = losses[train] < losses[0];
  if (!hasFallen) console.log("the loss did NOT fall");
  return { weights: await readTensors(stateOf(network)), hasFallen };
}

async function segment(
  engine: Engine,
  network: Module,
  volume: Volume,
  { mib, apart }: Arguments,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const peak = new PeakMemory(engine);
  let progress: ReturnType<typeof startProgress> | undefined;
  const start = performance.now();
  const { labels, passes } = await segmentVolume(network, volume, {
    ...{ maxBytes: mib * MIB, apart, signal },
    onProgress({ pass, done, total }) {
      peak.look();
      if (done === 1) {
        progress?.stop();
        progress = startProgress(total);
      }
      progress?.update(done, `pass ${String(pass.index + 1)} of ${String(pass.count)}`);
    },
  }).finally(() => progress?.stop());
  const seconds = (performance.now() - start) / 1000;
  for (const { tiles, tile, bytes, voxels } of passes) {
    console.log(
      `tiles    ${String(tiles)} of ${tile.join(" x ")}, ${mebi(bytes)} MiB each by the engine's account, computed from ${times(voxels, volume)}`,
    );
  }
  console.log(`time     ${seconds.toFixed(1)} s, compiling included, ${mebi(peak.bytes)} MiB on the device at most`);
  const right = labels.reduce((sum, label, i) => sum + (label === volume.labels[i] ? 1 : 0), 0);
  console.log(`classes  ${shares(labels)}; ${percent(right, labels.length)} of voxels have the volume's`);
  return labels;
}

const mebi = (bytes: number): string => (bytes / MIB).toFixed(0);
const giga = (count: number): string => (count / 1e9).toFixed(2);
const percent = (part: number, all: number): string => `${((100 * part) / all).toFixed(1)}%`;
const times = (voxels: number, { values }: Volume): string => `${(voxels / values.length).toFixed(2)} times the volume`;

const NAMES = ["background", "grey", "white"];

/** "60.1% background, 30.0% grey, 9.9% white" */
function shares(labels: Uint8Array): string {
  const counts = new Array<number>(CLASSES).fill(0);
  for (const label of labels) counts[label]++;
  return NAMES.map((name, label) => `${percent(counts[label], labels.length)} ${name}`).join(", ");
}
