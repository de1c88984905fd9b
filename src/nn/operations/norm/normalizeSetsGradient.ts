/** Gradients of normalisations that read x and dy once, where a workgroup holds whole sets. */
import kernel from "../../../../shaders/nn/normalize_sets_gradient.wgsl";
import type { Capabilities } from "../../../planning/capabilities.js";
import { policyOf } from "../../../planning/policy.js";
import { dispatch, foldWorkgroups, type Refusal, type Steps } from "../../../planning/solver.js";
import { named } from "../../../planning/tensorOperation.js";
import { partialBytes } from "../../../solvers/shared/splits.js";
import { elementOf } from "../../core/elements.js";
import { combineNormSums } from "./combineNormSums.js";
import { termBindings } from "./gradientTerms.js";
import type { Norm, NormGradients } from "./norm.js";
import { membersOf, type NormShape, termConstants, valuesType } from "./normShape.js";
import { gatherersOf, type SetTile, tileSets } from "./setTile.js";

/** Elements of a channel for each of its partial sums at least: as a part of what is read and written anyway, these are a twelfth. */
const LEAST_PART = 16;
/** Additions one after the other, at most. */
const LONGEST_CHAIN = 128;

/** Of a norm by the statistics of its values. */
export function normalizeSetsGradient(norm: Norm, wanted: NormGradients, capabilities: Capabilities): Steps | Refusal {
  const { shape, x, parts, activation } = norm;
  if (!wanted.dx) return { refused: "dx is not wanted, and sums of channels need no sums of sets" };
  const sumsChannels = wanted.weightGradient || wanted.biasGradient;
  const keeping = {
    ofThread: 28,
    ofWidth: 0,
    ofUnit: 0,
    ofElement: activation.name === "none" ? 2.75 : 4.5,
    ofChannel: sumsChannels ? 2 : 0,
  };
  const tile = tileSets(shape, keeping, capabilities);
  if ("refused" in tile) return tile;
  const { width, extents, row, sampleTiles, groupTiles, constants } = tile;
  const partTiles = sumsChannels ? tilesOfPart(tile, shape, capabilities) : 1;
  const partCount = Math.ceil(sampleTiles / partTiles);
  const tasks = partCount * groupTiles;
  const terms = {
    ...{ shape, dtype: x.dtype, parts, activation },
    outputGradient: named("dy"),
    statistics: named("statistics"),
  };
  const step = dispatch(kernel, {
    constants: {
      ...constants,
      ...termConstants(parts, activation),
      VECTORS: width === 4,
      WRITES_GRADIENT: wanted.residualGradient,
      SUMS_CHANNELS: sumsChannels,
      CHANNEL_GATHERERS: gatherersOf(constants.POSITION_LANES * constants.SAMPLE_LANES),
      UNIT_CHANNELS: constants.CHANNELS_LAST ? width : 1,
    },
    types: {
      Values: valuesType(elementOf(x.dtype, capabilities), width),
      Numbers: valuesType("f32", width),
      Sums: "vec2f",
    },
    uniforms: { extents, row, tasks, sampleTiles, partTiles, channels: shape.channels, members: membersOf(shape) },
    bindings: {
      ...termBindings(terms, true),
      x: named("x"),
      partials: sumsChannels ? "partials" : "unused",
      result: named("dx"),
      residualGradient: wanted.residualGradient ? named("residualGradient") : "unused",
    },
    workgroups: foldWorkgroups(tasks, capabilities),
  });
  if (!sumsChannels) return { dispatches: [step], scratchBytes: {} };
  const combine = combineNormSums(
    { splits: partCount, sets: shape.channels },
    {
      ...{ results: shape.channels, resultStep: 1, terms: 1, termStep: 0, channels: shape.channels, weighted: false },
      weightGradient: wanted.weightGradient ? named("weightGradient") : undefined,
      biasGradient: wanted.biasGradient ? named("biasGradient") : undefined,
    },
    "partials",
    capabilities,
  );
  return {
    dispatches: [step, combine],
    scratchBytes: { partials: 2 * partialBytes(partCount, shape.channels) },
  };
}

/** Tiles of samples that a workgroup takes, so that partial sums are few, as long as the device is busy and sums are short. */
function tilesOfPart({ sampleTiles, groupTiles, constants, extents }: SetTile, shape: NormShape, device: Capabilities) {
  const [samples] = extents;
  const elements = (shape.samples * shape.positions) / LEAST_PART;
  const busy = policyOf(device).busyGradientWorkgroups / groupTiles;
  const wanted = Math.max(1, Math.min(sampleTiles, elements, busy, samples));
  const longest = Math.max(1, Math.floor(LONGEST_CHAIN / constants.KEPT_POSITIONS));
  return Math.min(longest, Math.ceil(sampleTiles / Math.floor(wanted)));
}
