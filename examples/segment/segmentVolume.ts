/** A volume through the network, by tiles, into a class a voxel. */
import type { TileRegion } from "webgpu-conv";
import { type Module, runTiled, setTraining } from "webgpu-conv/nn";
import { cutBox, extentsOf, voxelsOf } from "./blocks.js";
import { CLASSES, partsOf } from "./network.js";
import type { Extents, Volume } from "./phantom.js";

export interface SegmentOptions {
  /** That tiles may take, on the device and on the host. */
  readonly maxBytes?: number;
  /** Extents of a tile; as memory allows when absent. */
  readonly tile?: Extents;
  /**
   * Whether the network's parts run one after the other, each over the whole volume: tiles have less around them to compute once more,
   * and the host holds what lies between two parts, all channels of it. The classes are the same.
   */
  readonly apart?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly pass: Pass; readonly done: number; readonly total: number }) => void;
}

export interface Pass {
  readonly index: number;
  readonly count: number;
}

export interface SegmentedPass {
  readonly tiles: number;
  readonly tile: readonly number[];
  /** By the engine's account, of the largest tile. */
  readonly bytes: number;
  /** That tiles took from the source, in all. */
  readonly voxels: number;
}

export interface Segmentation {
  /** Row-major, the class with the largest logit; of equal ones the first. */
  readonly labels: Uint8Array<ArrayBuffer>;
  readonly passes: readonly SegmentedPass[];
}

/** @param network which is in evaluation mode afterwards */
export async function segmentVolume(network: Module, volume: Volume, options: SegmentOptions): Promise<Segmentation> {
  const { apart = false, onProgress, ...others } = options;
  const { extents, values } = volume;
  setTraining(network, false);
  const modules = apart ? partsOf(network) : [network];
  const labels = new Uint8Array(values.length);
  const passes: SegmentedPass[] = [];
  let source = { shape: [1, ...extents] as readonly number[], values };
  for (const [index, module] of modules.entries()) {
    const pass = { index, count: modules.length };
    let voxels = 0;
    const result = await runTiled(
      module,
      {
        shape: source.shape,
        read(region) {
          voxels += voxelsIn(region);
          return cutRegion(source, region);
        },
      },
      {
        ...others,
        ...(index === modules.length - 1 && { sink: (region, logits) => writeLabels(labels, extents, region, logits) }),
        ...(onProgress && { onProgress: (progress) => onProgress({ pass, ...progress }) }),
      },
    );
    passes.push({ tiles: result.tiles, tile: result.tile, bytes: result.bytes, voxels });
    source = { shape: result.shape, values: result.values ?? new Float32Array() };
  }
  return { labels, passes };
}

const voxelsIn = ({ shape }: TileRegion): number => shape.slice(1).reduce((all, extent) => all * extent, 1);

interface Source {
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

function cutRegion({ shape, values }: Source, { begin, end }: TileRegion): Float32Array<ArrayBuffer> {
  const [channels, depth, height, width] = shape;
  const [planes, rows, columns] = begin.map((first, axis) => ({ begin: first, end: end[axis] }));
  const box = [planes, rows, columns] as const;
  const [all, wanted] = [depth * height * width, voxelsOf(extentsOf(box))];
  const cut = new Float32Array(channels * wanted);
  for (let channel = 0; channel < channels; channel++) {
    const plane = values.subarray(channel * all, (channel + 1) * all);
    cut.set(cutBox(plane, [depth, height, width], box), channel * wanted);
  }
  return cut;
}

/** Writes the classes of a region of logits, `[CLASSES, ...]`, to their places in the volume. */
export function writeLabels(
  labels: Uint8Array,
  [, height, width]: Extents,
  { begin, end }: Pick<TileRegion, "begin" | "end">,
  logits: Float32Array,
): void {
  const count = logits.length / CLASSES;
  let at = 0;
  for (let z = begin[0]; z < end[0]; z++) {
    for (let y = begin[1]; y < end[1]; y++) {
      const row = (z * height + y) * width;
      for (let x = begin[2]; x < end[2]; x++) {
        let best = 0;
        for (let c = 1; c < CLASSES; c++) if (logits[c * count + at] > logits[best * count + at]) best = c;
        labels[row + x] = best;
        at++;
      }
    }
  }
}
