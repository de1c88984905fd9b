// How a workgroup holds sets of a tensor's values, each of them whole, in its threads' registers.
//
// The tensor is samples of channels of positions (normalization.wgsl). Units are WIDTH neighbouring elements: of a
// channel, or, where channels come last, of as many channels at a position. A set is some neighbouring channels of a
// sample. A workgroup takes the sets of SAMPLE_LANES samples and CHANNEL_LANES / SPAN neighbours, each by SPAN times
// POSITION_LANES threads, side by side where units are. A thread keeps every SPAN-th of KEPT_CHANNELS units along
// channels, and of each every POSITION_LANES-th of KEPT_POSITIONS along positions.
//
// Extents are (samples, sets of a sample, units of a set along channels, units along positions), and a row is
// (units along channels of a position, units that lie together of a channel). With ACROSS rows of several samples make
// up the positions, and there is one sample.
import package::common::normalization::CHANNELS_LAST;

// What a thread contributes to sums over a set.
alias Sums = vec2f; // @specialize

const SAMPLE_LANES: u32 = 1u; // @specialize
const CHANNEL_LANES: u32 = 1u; // @specialize
const POSITION_LANES: u32 = 64u; // @specialize
const SPAN: u32 = 1u; // @specialize
const KEPT_CHANNELS: u32 = 1u; // @specialize
const KEPT_POSITIONS: u32 = 1u; // @specialize
const ACROSS: bool = false; // @specialize
// About the square root of a set's threads: so many of them add up the others' sums.
const GATHERERS: u32 = 8u; // @specialize

const THREADS: u32 = SAMPLE_LANES * CHANNEL_LANES * POSITION_LANES;
const SETS_BESIDE: u32 = CHANNEL_LANES / SPAN;
const SET_THREADS: u32 = SPAN * POSITION_LANES;
const KEPT: u32 = KEPT_CHANNELS * KEPT_POSITIONS;

var<workgroup> sums: array<Sums, THREADS>;
var<workgroup> gathered: array<Sums, THREADS>;

struct SetThread {
  sampleLane: u32,
  channelLane: u32,
  positionLane: u32,
  // Along the set's channels.
  channel: u32,
  group: u32, // the set's number in its sample
  // Among the set's threads, and where these begin.
  place: u32,
  base: u32,
}

fn threadOf(thread: u32, groupTile: u32) -> SetThread {
  let inSample = thread % (CHANNEL_LANES * POSITION_LANES);
  let sampleLane = thread / (CHANNEL_LANES * POSITION_LANES);
  let channelLane = select(inSample / POSITION_LANES, inSample % CHANNEL_LANES, CHANNELS_LAST);
  let positionLane = select(inSample % POSITION_LANES, inSample / CHANNEL_LANES, CHANNELS_LAST);
  let beside = channelLane / SPAN;
  let channel = channelLane % SPAN;
  return SetThread(
    sampleLane,
    channelLane,
    positionLane,
    channel,
    groupTile * SETS_BESIDE + beside,
    channel * POSITION_LANES + positionLane,
    (sampleLane * SETS_BESIDE + beside) * SET_THREADS,
  );
}

fn groupTilesOf(extents: vec4<u32>) -> u32 {
  return (extents.y + SETS_BESIDE - 1u) / SETS_BESIDE;
}

// Where a unit of a set lies.
fn unitAt(sample: u32, group: u32, channel: u32, position: u32, extents: vec4<u32>, row: vec2<u32>) -> u32 {
  let place = group * extents.z + channel;
  if (CHANNELS_LAST) {
    return (sample * extents.w + position) * row.x + place;
  }
  if (ACROSS) {
    return ((position / row.y) * row.x + place) * row.y + position % row.y;
  }
  return (sample * row.x + place) * row.y + position;
}

// The sum of what `count` threads contribute, for each of them: those that begin at `base`, of which this one is at
// `place`. The order is fixed. All threads of the workgroup call it. The next call may write `sums` at once: nobody
// reads them behind the second barrier.
fn sumAmong(own: Sums, place: u32, base: u32, count: u32, gatherers: u32) -> Sums {
  if (count == 1u) {
    return own;
  }
  sums[base + place] = own;
  workgroupBarrier();
  if (place < gatherers) {
    var sum = own;
    for (var i = place + gatherers; i < count; i += gatherers) {
      sum += sums[base + i];
    }
    gathered[base + place] = sum;
  }
  workgroupBarrier();
  var total = gathered[base];
  for (var i = 1u; i < gatherers; i++) {
    total += gathered[base + i];
  }
  return total;
}
