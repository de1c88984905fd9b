/** The command: reads network and photographs, trains, tells what came of it, and writes weights that can be read again. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import cliProgress from "cli-progress";
import { CommanderError } from "commander";
import { ConvError, type Engine } from "webgpu-conv";
import { readSafetensors } from "webgpu-conv/io";
import { disposeModule, explainNetwork, loadState, type Module, saveState } from "webgpu-conv/nn";
import { EXIT, Interrupted, untilInterrupted } from "../filters/endings.js";
import { PictureError } from "../filters/pictureFile.js";
import { type Arguments, parseArguments } from "./arguments.js";
import { MaterialError } from "./materialError.js";
import { readNetwork, readPhotographs } from "./materials.js";
import { batchOf, type Pair, pairOf, requireRoom, spreadPatches } from "./pairs.js";
import { patchBitmap, writePatches } from "./patchPicture.js";
import { CHANNELS, FACTOR } from "./photograph.js";
import { enlarge, enlargeBicubic, psnr } from "./quality.js";
import { type Check, checksTable, lossPlot, mean, type Outcome, outcomesTable } from "./report.js";
import { fineTune, type FineTuning } from "./training.js";

/** Patches along each side of a held-out photograph. */
const SPREAD = 4;
/** Those of a photograph that is learned from. */
const LEARNED_SPREAD = 2;

/** Runs the command line `words` and gives the exit status; what the user can mend is told, not thrown. */
export async function run(words: readonly string[], makeEngine: () => Promise<Engine>): Promise<number> {
  try {
    return await fineTuneByCommand(parseArguments(words), makeEngine);
  } catch (error) {
    // Commander has told already, and says what to exit with: 0 for help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.couldNotRun;
    if (error instanceof Interrupted) {
      console.error("\ninterrupted: no weights are written");
      return EXIT.interrupted;
    }
    if (!(error instanceof Error)) throw error;
    // A file's error has a code.
    const isTheUsers =
      error instanceof ConvError || error instanceof PictureError || error instanceof MaterialError || "code" in error;
    if (!isTheUsers) throw error;
    console.error(`${error.name}: ${error.message}`);
    return EXIT.couldNotRun;
  }
}

async function fineTuneByCommand(options: Arguments, makeEngine: () => Promise<Engine>): Promise<number> {
  const { batch, patch, model, out } = options;
  const pairs = (await readPhotographs(options.photos)).map(pairOf);
  requireRoom(pairs, patch);
  const count = pairs.length - Math.max(1, Math.floor(pairs.length / 4));
  const [learned, heldOut] = [pairs.slice(0, count), pairs.slice(count)];
  await mkdir(dirname(out), { recursive: true });

  using engine = await makeEngine();
  console.log(`adapter  ${engine.adapter.description}`);
  const network = await readNetwork(engine, model);
  const { weights, multiplyAdds } = explainNetwork(network, [batch, patch, patch, CHANNELS]);
  console.log(
    `network  ${weights.toLocaleString("en")} weights, ${(multiplyAdds / 1e6).toFixed(0)} million multiply-adds a batch`,
  );
  console.log(`learns   ${listOf(learned)}`);
  console.log(`held out ${listOf(heldOut)}\n`);

  const groups = heldOut.map((pair) => spreadPatches(pair, patch, SPREAD));
  const before = await qualities(engine, network, groups);
  const first = await enlarge(engine, network, groups.flat());
  const start = performance.now();
  const { checks, losses } = await train(engine, network, learned, groups.flat(), options);
  const seconds = (performance.now() - start) / 1000;
  const after = await qualities(engine, network, groups);
  const outcomes = heldOut.map(({ large: { name } }, i): Outcome => {
    return { name, bicubic: psnr(enlargeBicubic(groups[i]), groups[i]), before: before[i], network: after[i] };
  });
  console.log(`loss\n${lossPlot(losses)}\n\n${checksTable(checks)}\n\n${outcomesTable(outcomes)}\n`);
  console.log(`trained  ${String(losses.length)} steps in ${seconds.toFixed(1)} s, with the checks`);

  await writeFile(out, await saveState(network));
  const isSame = await rereads(engine, network, options, groups.flat());
  console.log(
    `wrote    ${out}: ${isSame ? "read again, it enlarges with the same bits" : "READ AGAIN, IT GIVES OTHER BITS"}`,
  );
  if (options.picture !== undefined) {
    const patches = groups.flat();
    const whole = batchOf(patches.map(({ large }) => large));
    const ways = [enlargeBicubic(patches), first, await enlarge(engine, network, patches), whole];
    await writePatches(options.picture, patchBitmap(ways, shownOf(groups), patch * FACTOR));
    console.log(`wrote    ${options.picture}: bicubic, before, after, as it was`);
  }
  disposeModule(network);
  const hasRisen = (checks.at(-1)?.network ?? NaN) > checks[0].network;
  if (!hasRisen) console.log("held-out patches are NOT nearer than before");
  return isSame && hasRisen ? EXIT.fine : EXIT.wrongResult;
}

/** One patch of each held-out photograph, off its middle: their places among all. */
const shownOf = (groups: readonly (readonly Pair[])[]): number[] =>
  groups.map(({ length }, i) => (i + 1) * length - SPREAD - 2);

/** Trains with a bar that shows how far it is. */
async function train(
  engine: Engine,
  network: Module,
  pairs: readonly Pair[],
  patches: readonly Pair[],
  { steps, batch, patch: extent, lr, seed, every }: Arguments,
): Promise<{ readonly checks: readonly Check[]; readonly losses: readonly number[] }> {
  const bicubic = psnr(enlargeBicubic(patches), patches);
  const learnedPatches = pairs.flatMap((pair) => spreadPatches(pair, extent, LEARNED_SPREAD));
  const checks: Check[] = [];
  const bar = new cliProgress.SingleBar({
    format: `training [{bar}] step {value} of {total}, loss {loss}, held out {network} dB (bicubic ${bicubic.toFixed(2)})`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
  });
  const plan: FineTuning = {
    ...{ engine, network, pairs, steps, batch, extent, lr, seed, every },
    async onCheck(done, losses) {
      const [learned, quality] = await qualities(engine, network, [learnedPatches, patches]);
      const since = losses.slice(checks.at(-1)?.steps ?? 0);
      checks.push({ steps: done, loss: done === 0 ? undefined : mean(since), learned, network: quality, bicubic });
      const shown = { loss: losses.at(-1)?.toFixed(1) ?? "-", network: quality.toFixed(2) };
      if (done === 0) bar.start(steps, 0, shown);
      else bar.update(done, shown);
    },
    onStep: (done, loss) => bar.update(done, { loss: loss.toFixed(1) }),
  };
  // The terminal's cursor comes back where training fails, too.
  const losses = await untilInterrupted((signal) => fineTune(plan, signal)).finally(() => bar.stop());
  return { checks, losses };
}

/** The network's quality on each group of patches. */
async function qualities(engine: Engine, network: Module, groups: readonly (readonly Pair[])[]): Promise<number[]> {
  const results: number[] = [];
  for (const patches of groups) results.push(psnr(await enlarge(engine, network, patches), patches));
  return results;
}

/** Whether the file's weights, in a network that is loaded anew, give the bits that the network gives. */
async function rereads(
  engine: Engine,
  network: Module,
  { model, out }: Arguments,
  patches: readonly Pair[],
): Promise<boolean> {
  const other = await readNetwork(engine, model);
  const { tensors } = await readSafetensors(await readFile(out), out);
  await loadState(other, tensors);
  const [actual, expected] = [await enlarge(engine, other, patches), await enlarge(engine, network, patches)];
  disposeModule(other);
  return Buffer.from(actual.buffer).equals(Buffer.from(expected.buffer));
}

/** Names and sizes of photographs. */
const listOf = (pairs: readonly Pair[]): string =>
  pairs.map(({ large: { name, width, height } }) => `${name} (${String(width)} x ${String(height)})`).join(", ");
