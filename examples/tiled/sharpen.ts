/** Sharpens a PGM file: `x + amount * (x - blurred x)`, one 5x5 layer whose edges repeat. */
import type { Job } from "./job.js";
import { PgmFile } from "./pgm.js";

const BINOMIAL = [1, 4, 6, 4, 1];
const AMOUNT = 1.5;

/** The filter: a binomial one taken from an impulse. */
const FILTER = BINOMIAL.flatMap((row, i) =>
  BINOMIAL.map((column, j) => (i === 2 && j === 2 ? 1 + AMOUNT : 0) - (AMOUNT * row * column) / 256),
);

export async function sharpen([input, output]: readonly [string, string]): Promise<Job> {
  const from = await PgmFile.read(input);
  const to = await PgmFile.create(output, from.width, from.height);
  return {
    what: `${input}, ${String(from.width)} x ${String(from.height)}, sharpened`,
    source: { shape: [1, from.height, from.width], read: (region) => from.readRegion(region) },
    layers: (engine) => [{ weight: engine.tensor(FILTER, [1, 1, 5, 5]), padding: 2, paddingMode: "replicate" }],
    sink: (region, values) => to.writeRegion(region, values),
    finish: async () => {
      await from.close();
      await to.close();
      return `wrote ${output}`;
    },
  };
}
