/** How workgroups hold sets of values whole, in the registers of their threads (shaders/common/set_tile.wgsl). */
import type { Capabilities } from "../../../planning/capabilities.js";
import { policyOf } from "../../../planning/policy.js";
import type { Refusal } from "../../../planning/solver.js";
import { membersOf, type NormShape, setsOf } from "./normShape.js";

/** Neighbouring elements that threads read together at least: a line of a GPU's cache; fewer where a subgroup has fewer lanes. */
const LINE = 16;
/** Threads of a workgroup, if its sets are small. */
const FEWEST_THREADS = 64;
/** Threads of a workgroup that are tried, where a set does not fit the registers of fewer. */
const THREADS = [64, 256, 512, 1024];
/** Of these, the fewest that a GPU tries. Software devices, to which a barrier is a switch of all subgroups, try 64 alone. [44] */
const GPU_THREADS = 256;
/** Units that a thread takes at least, as far as there are so many: loads that wait for memory together. */
const LEAST_KEPT = 4;
/** Units that a thread keeps of each operand at most: the kernel's text has that many copies of what is done with one. */
const MOST_KEPT = 16;
/** Registers of a GPU's thread, wherever there are more: more threads hide each other's waits better. */
const MOST_REGISTERS = 80;

export interface SetTile {
  readonly constants: {
    readonly CHANNELS_LAST: boolean;
    readonly SAMPLE_LANES: number;
    readonly CHANNEL_LANES: number;
    readonly POSITION_LANES: number;
    readonly SPAN: number;
    readonly KEPT_CHANNELS: number;
    readonly KEPT_POSITIONS: number;
    readonly ACROSS: boolean;
    readonly GATHERERS: number;
  };
  /** Elements of a unit. */
  readonly width: 1 | 4;
  readonly extents: readonly [samples: number, groups: number, channelUnits: number, positionUnits: number];
  readonly row: readonly [channelUnits: number, positionUnits: number];
  /** Workgroups along samples, and along the sets of each. */
  readonly sampleTiles: number;
  readonly groupTiles: number;
}

/** Registers of a thread, as Mesa's compilers for Intel's GPUs allot them; within 5 where there are few. [44] */
export interface Keeping {
  readonly ofThread: number;
  /** For each element of a unit, however many it keeps. */
  readonly ofWidth: number;
  readonly ofUnit: number;
  /** For each element of each unit. */
  readonly ofElement: number;
  /** For each element of a unit, for each channel unit. */
  readonly ofChannel: number;
}

interface Frame {
  readonly samples: number;
  /** Sets of a sample. */
  readonly groups: number;
  /** Channels of a set. */
  readonly each: number;
  readonly positions: number;
  /** Positions that lie together, of a channel. */
  readonly rowLength: number;
  readonly channelsLast: boolean;
}

/** A tensor in sets, none of which has values of several samples: there is one sample where they do. */
function frameOf({ samples, channels, positions, channelsLast, groups }: NormShape): Frame {
  // Channels of one position lie together.
  const isLast = channelsLast || positions === 1;
  if (groups === "batch") {
    const rows = { positions: samples * positions, rowLength: positions };
    return { samples: 1, groups: channels, each: 1, ...rows, channelsLast: isLast };
  }
  return { samples, groups, each: channels / groups, positions, rowLength: positions, channelsLast: isLast };
}

/** Why a workgroup cannot hold a set; or how it does. */
export function tileSets(shape: NormShape, keeping: Keeping, capabilities: Capabilities): SetTile | Refusal {
  const frame = frameOf(shape);
  const { device } = policyOf(capabilities);
  const { samples, groups, each, positions, rowLength, channelsLast } = frame;
  const width = (channelsLast ? each : rowLength) % 4 === 0 ? 4 : 1;
  const [channelUnits, positionUnits] = channelsLast ? [each / width, positions] : [each, positions / width];
  // Where neighbouring positions of a set do not lie together, other sets between them are read by the same workgroup.
  const beside =
    channelsLast && positions > 1 ? Math.min(groups, Math.ceil(Math.min(LINE, device.subgroup) / each)) : 1;
  const lanes = lanesFor({ channelUnits, positionUnits, width, beside }, keeping, capabilities);
  if (!lanes) {
    const [members, sets] = [membersOf(shape), setsOf(shape)].map(String);
    const together = beside > 1 ? `, ${String(beside)} of which lie side by side,` : "";
    return { refused: `${sets} sets of ${members} values${together} do not fit the registers of a workgroup each` };
  }
  const { span, positionLanes, keptChannels, keptPositions } = lanes;
  const wanted = Math.floor(FEWEST_THREADS / (span * positionLanes));
  const setsBeside = Math.min(groups, Math.max(beside, wanted));
  const sampleLanes = Math.min(samples, Math.max(1, Math.floor(wanted / setsBeside)));
  return {
    constants: {
      CHANNELS_LAST: channelsLast,
      SAMPLE_LANES: sampleLanes,
      CHANNEL_LANES: span * setsBeside,
      POSITION_LANES: positionLanes,
      SPAN: span,
      KEPT_CHANNELS: keptChannels,
      KEPT_POSITIONS: keptPositions,
      ACROSS: !channelsLast && rowLength < positions,
      GATHERERS: gatherersOf(span * positionLanes),
    },
    width,
    extents: [samples, groups, channelUnits, positionUnits],
    row: channelsLast ? [groups * channelUnits, 1] : [groups * each, rowLength / width],
    sampleTiles: Math.ceil(samples / sampleLanes),
    groupTiles: Math.ceil(groups / setsBeside),
  };
}

/** Of so many threads: those that add up the others' sums. */
export const gatherersOf = (threads: number): number => Math.ceil(Math.sqrt(threads));

interface Units {
  readonly channelUnits: number;
  readonly positionUnits: number;
  readonly width: number;
  /** Sets of a workgroup at least. */
  readonly beside: number;
}

/** Threads of a set along channels and positions, and the units that each keeps; undefined where there are too many. */
function lanesFor(
  { channelUnits, positionUnits, width, beside }: Units,
  { ofThread, ofWidth, ofUnit, ofElement, ofChannel }: Keeping,
  capabilities: Capabilities,
) {
  const { limits } = capabilities;
  const { threadRegisters, device, workgroupMemoryPays } = policyOf(capabilities);
  const least = Math.min(GPU_THREADS, device.fillThreads);
  const most = workgroupMemoryPays
    ? Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX)
    : least;
  for (const threads of THREADS.filter((count) => count >= least && count <= most)) {
    const registers = workgroupMemoryPays
      ? Math.min(MOST_REGISTERS, threadRegisters, device.registers / threads)
      : Infinity;
    const fits = (channels: number, kept: number): boolean => {
      const taken = ofWidth + channels * (ofChannel + kept * ofElement);
      const needed = ofThread + width * taken + channels * kept * ofUnit;
      return channels * kept <= MOST_KEPT && needed <= registers;
    };
    const ofSet = Math.floor(threads / beside);
    let keptChannels = Math.ceil(channelUnits / ofSet);
    while (positionUnits === 1 && keptChannels < LEAST_KEPT && channelUnits > FEWEST_THREADS * keptChannels) {
      if (!fits(keptChannels + 1, 1)) break;
      keptChannels++;
    }
    const span = Math.ceil(channelUnits / keptChannels);
    let keptPositions = Math.ceil(positionUnits / Math.floor(ofSet / span));
    if (!fits(keptChannels, keptPositions)) continue;
    while (keptPositions < Math.min(LEAST_KEPT, positionUnits) && fits(keptChannels, keptPositions + 1))
      keptPositions++;
    const positionLanes = Math.ceil(positionUnits / keptPositions);
    return {
      span,
      positionLanes,
      keptChannels,
      keptPositions: Math.ceil(positionUnits / positionLanes),
    };
  }
  return undefined;
}
