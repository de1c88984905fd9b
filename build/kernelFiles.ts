/**
 * Which kernels' texts are one file. Apart, each compresses by itself, and texts are much alike; together, a page loads what it
 * does not run. So they are together where what runs one runs the others.
 */
import type { Rolldown } from "vite";
import { FORMULAS_MODULE, SHARED_MODULE, TEXT_MODULE } from "./kernelModules.js";

/** By the names of the files. */
export const TOGETHER: Readonly<Record<string, readonly string[]>> = {
  winograd: ["winograd_filter", "winograd_source", "winograd_result"],
  scalar_tile: ["scalar_tile", "pack_columns"],
  scalar_tile_weight_gradient: ["scalar_tile_weight_gradient", "pack_positions"],
  norm_statistics: ["norm_statistics", "merge_statistics"],
  norm_gradient: ["norm_gradient_sums", "combine_norm_sums", "normalize_gradient"],
  // A page of one layer loads 2 kB more than it runs; one of a network, whose layers differ, 3 to 4 kB less.
  tiles: ["vector_tile", "register_tile", "unfold"],
  gemm: ["tap_gemm", "implicit_gemm", "pack_weights"],
  tiles_weight_gradient: ["register_tile_weight_gradient", "rolling_window_weight_gradient"],
  // What weight gradients end with, and what sums once more along an edge where weights are not known to be finite.
  weight_gradient_ends: ["reduce_partials", "direct"],
  // Of what is trained to classify, as most networks are: 3 kB less. Others load 3 kB more than they run.
  training: ["cross_entropy", "cross_entropy_gradient", "max_pool_gradient", "begin_update", "update_parameters"],
};

const FILES: ReadonlyMap<string, string> = new Map(
  Object.entries(TOGETHER).flatMap(([file, kernels]) => kernels.map((name) => [TEXT_MODULE + name, file])),
);
/** What texts share. */
const SHARED: ReadonlyMap<string, string> = new Map([
  [SHARED_MODULE, "shared"],
  [FORMULAS_MODULE, "formulas"],
]);

/** The bundler's groups. What texts share would be in the first file that imports it, had it no group before them. */
export const KERNEL_FILES: readonly Rolldown.CodeSplittingGroup[] = [SHARED, FILES].map((files, i) => {
  return { name: (id) => files.get(id), priority: 100 - i };
});
