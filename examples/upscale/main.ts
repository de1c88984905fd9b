/**
 * `npm run example:upscale`: makes a picture 2 or 4 times larger by a network with published weights, by tiles. Exits with 2 where it
 * could not run, with 130 where Ctrl-C ended it.
 */
import { ConvError } from "webgpu-conv";
import { createEngine } from "webgpu-conv/node";
import { disposeModule, explainNetwork, FileError } from "webgpu-conv/nn";
import { PictureError, writePicture } from "../filters/pictureFile.js";
import { MaterialError } from "../finetune/materialError.js";
import { startProgress } from "../benchmark/progress.js";
import { parseArguments } from "./arguments.js";
import { loadNetwork } from "./network.js";
import { besideBicubic, middleOf, readPhoto } from "./photo.js";
import { writePng } from "./pngWriter.js";
import { upscale } from "./upscale.js";

const [COULD_NOT_RUN, CANCELLED] = [2, 130];
const MIB = 2 ** 20;

const { photo, out, scale, mib, middle, picture: besidePath } = parseArguments(process.argv.slice(2));
const cancel = new AbortController();
process.once("SIGINT", () => cancel.abort());
try {
  const whole = await readPhoto(photo);
  const picture = middle === undefined ? whole : middleOf(whole, middle);
  const [width, height] = [scale * picture.width, scale * picture.height];
  console.log(`picture  ${photo}, ${String(picture.width)} x ${String(picture.height)}`);
  using engine = await createEngine();
  console.log(`adapter  ${engine.adapter.description}`);
  const network = await loadNetwork(engine, scale);
  const { weights, multiplyAdds } = explainNetwork(network, [1, picture.height, picture.width, 3]);
  console.log(
    `network  ${weights.toLocaleString("en")} weights, ${(multiplyAdds / 1e9).toFixed(2)} GMAC for the whole picture`,
  );
  let progress: ReturnType<typeof startProgress> | undefined;
  try {
    const start = performance.now();
    const shown: Uint8Array[] = [];
    const { tiles, tile, bytes } = await writePng(out, width, height, (png) =>
      upscale(network, picture, {
        scale,
        maxBytes: mib * MIB,
        signal: cancel.signal,
        writeRows(rows) {
          if (besidePath !== undefined) shown.push(rows);
          return png.writeRows(rows);
        },
        onProgress: ({ done, total }) => {
          progress ??= startProgress(total);
          progress.update(done, "");
        },
      }),
    ).finally(() => progress?.stop());
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `tiles    ${String(tiles)} of ${tile.join(" x ")} pixels, ${(bytes / MIB).toFixed(0)} MiB each by the engine's account`,
    );
    console.log(
      `time     ${seconds.toFixed(1)} s, compiling included: ${((width * height) / seconds / 1e6).toFixed(2)} megapixels a second`,
    );
    console.log(`wrote    ${out}, ${String(width)} x ${String(height)}`);
    if (besidePath !== undefined) {
      await writePicture(besidePath, besideBicubic(picture, Buffer.concat(shown), scale));
      console.log(`wrote    ${besidePath}: bicubic interpolation, and the network beside it`);
    }
  } finally {
    disposeModule(network);
  }
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(cancel.signal.aborted ? "cancelled" : `${error.name}: ${error.message}`);
  // A file's error has a code.
  const isKnown =
    [ConvError, PictureError, MaterialError, FileError].some((kind) => error instanceof kind) || "code" in error;
  if (!cancel.signal.aborted && !isKnown) throw error;
  process.exitCode = cancel.signal.aborted ? CANCELLED : COULD_NOT_RUN;
}
