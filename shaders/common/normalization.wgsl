// Tensors as normalisation sees them: samples of channels of positions, whose values are in sets with a mean and a
// variance each.
//
//   channels first: offset = (sample * channels + channel) * positions + position
//   channels last:  offset = (sample * positions + position) * channels + channel
//
// A shape is (channels, positions, sets of a sample, channels of a set).

const CHANNELS_LAST: bool = false; // @specialize
const SETS: u32 = 0u; // @specialize
const HAS_WEIGHT: bool = false; // @specialize

// A set is a channel of all samples, a sample, a channel of a sample, or else some neighbouring channels of a sample.
const OF_CHANNEL: u32 = 0u;
const OF_SAMPLE: u32 = 1u;
const OF_SAMPLE_CHANNEL: u32 = 2u;

fn channelOf(offset: u32, shape: vec4<u32>) -> u32 {
  if (CHANNELS_LAST) {
    return offset % shape.x;
  }
  return (offset / shape.y) % shape.x;
}

// The set of a channel of the sample that has the element at `offset`.
fn setOf(offset: u32, channel: u32, shape: vec4<u32>) -> u32 {
  if (SETS == OF_CHANNEL) {
    return channel;
  }
  let sample = offset / (shape.x * shape.y);
  if (SETS == OF_SAMPLE) {
    return sample;
  }
  if (SETS == OF_SAMPLE_CHANNEL) {
    return sample * shape.x + channel;
  }
  return sample * shape.z + channel / shape.w;
}

// Statistics are (mean, 1 / sqrt(variance + eps)).
fn normalized(value: f32, statistics: vec2<f32>) -> f32 {
  return (value - statistics.x) * statistics.y;
}

fn invertedDeviation(variance: f32, eps: f32) -> f32 {
  return 1.0 / sqrt(variance + eps);
}
