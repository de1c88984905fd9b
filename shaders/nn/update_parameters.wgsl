// One step of an optimizer for up to four parameters, in place: PyTorch's torch.optim.SGD, Adam and AdamW.
//
//   g = scale * gradient                  (begin_update.wgsl computes scale, rate, stepSize and root)
//   SGD    g += decay * p;  b = momentum * b + (1 - dampening) * g, and b = g in the first step
//          p -= rate * b,  or with NESTEROV  p -= rate * (g + momentum * b);  without MOMENTUM  p -= rate * g
//   ADAM   g += decay * p,  or with DECOUPLED  p -= rate * decay * p
//          m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
//          p -= stepSize * m / (sqrt(s) / root + epsilon),  s = v,  or with AMSGRAD  s = max(s, v)
//
// With MASTER parameters are float16, and the state keeps each in float32 besides. It counts as long as the parameter
// has the bits that it rounds to: values that the host wrote since take its place.
//
// `state` has for each parameter its sections one after the other: b; or m, v and, with AMSGRAD, s; last the float32
// copy.
// Dispatch: for each parameter ceil(elements / 256) workgroups, one parameter after the other, folded.
import package::common::element::Element;
import package::common::functions::isNaN;
import package::common::grid::workgroupIndex;
import package::common::progress::Progress;
import package::common::slots::{beginOf, endedBefore};

const THREADS: u32 = 64u;
const PER_THREAD: u32 = 4u;
// Magnitudes of float16, as bits of float32: from here on normal; from here on infinite.
const LEAST_NORMAL: u32 = 0x38800000u;
const HALF_BEYOND: u32 = 0x47800000u;
const INFINITY: u32 = 0x7f800000u;
const ADAM: bool = false; // @specialize
const DECOUPLED: bool = false; // @specialize
const AMSGRAD: bool = false; // @specialize
const MOMENTUM: bool = false; // @specialize
const NESTEROV: bool = false; // @specialize
const MASTER: bool = false; // @specialize
// Sections before the float32 copy.
const SECTIONS: u32 = 0u; // @specialize

struct Geometry {
  // Of each parameter: the workgroup behind its last one, elements, where its state begins, decay.
  ends: vec4<u32>,
  sizes: vec4<u32>,
  places: vec4<u32>,
  decays: vec4<f32>,
  // beta1, 1 - beta1, beta2, 1 - beta2; or momentum and 1 - dampening.
  factors: vec4<f32>,
  epsilon: f32,
  firstWorkgroup: u32,
}

@group(0) @binding(0) var<uniform> geometry: Geometry;
@group(0) @binding(1) var<storage, read> progress: array<Progress>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> parameter0: array<Element>;
@group(0) @binding(4) var<storage, read_write> parameter1: array<Element>;
@group(0) @binding(5) var<storage, read_write> parameter2: array<Element>;
@group(0) @binding(6) var<storage, read_write> parameter3: array<Element>;
@group(0) @binding(7) var<storage, read> gradient0: array<Element>;
@group(0) @binding(8) var<storage, read> gradient1: array<Element>;
@group(0) @binding(9) var<storage, read> gradient2: array<Element>;
@group(0) @binding(10) var<storage, read> gradient3: array<Element>;

// A parameter and its gradient.
fn load(slot: u32, element: u32) -> vec2<f32> {
  switch slot {
    case 0u: {
      return vec2<f32>(f32(parameter0[element]), f32(gradient0[element]));
    }
    case 1u: {
      return vec2<f32>(f32(parameter1[element]), f32(gradient1[element]));
    }
    case 2u: {
      return vec2<f32>(f32(parameter2[element]), f32(gradient2[element]));
    }
    default: {
      return vec2<f32>(f32(parameter3[element]), f32(gradient3[element]));
    }
  }
}

fn store(slot: u32, element: u32, value: f32) {
  switch slot {
    case 0u: {
      parameter0[element] = Element(value);
    }
    case 1u: {
      parameter1[element] = Element(value);
    }
    case 2u: {
      parameter2[element] = Element(value);
    }
    default: {
      parameter3[element] = Element(value);
    }
  }
}

// `place` is where the parameter's state begins, further by the element; its sections are `size` apart.
fn sgd(value: f32, gradient: f32, decay: f32, place: u32) -> f32 {
  var g = gradient;
  if (decay != 0.0) {
    g += decay * value;
  }
  if (MOMENTUM) {
    var buffer = g;
    if (progress[0].steps > 1.0) {
      buffer = geometry.factors.x * state[place] + geometry.factors.y * g;
    }
    state[place] = buffer;
    g = select(buffer, g + geometry.factors.x * buffer, NESTEROV);
  }
  return value - progress[0].rate * g;
}

fn adam(value: f32, gradient: f32, decay: f32, place: u32, size: u32) -> f32 {
  var g = gradient;
  var decayed = value;
  if (decay != 0.0) {
    if (DECOUPLED) {
      decayed -= progress[0].rate * decay * value;
    } else {
      g += decay * value;
    }
  }
  let mean = geometry.factors.x * state[place] + geometry.factors.y * g;
  let square = geometry.factors.z * state[place + size] + geometry.factors.w * g * g;
  state[place] = mean;
  state[place + size] = square;
  var largest = square;
  if (AMSGRAD) {
    let before = state[place + 2u * size];
    largest = select(square, before, before > square || isNaN(before));
    state[place + 2u * size] = largest;
  }
  return decayed - progress[0].stepSize * (mean / (sqrt(largest) / progress[0].root + geometry.epsilon));
}

// The float16 nearest to a value, ties to even. Written out: conversions of devices round in two ways, and compilers
// may leave one out that goes there and back. What is stored is converted exactly then.
fn nearestHalf(value: f32) -> f32 {
  let bits = bitcast<u32>(value);
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > INFINITY) {
    return value;
  }
  // The carry goes into the exponent. Subnormal numbers are multiples of 2^-24.
  var rounded = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u;
  if (magnitude < LEAST_NORMAL) {
    rounded = bitcast<u32>(round(abs(value) * 16777216.0) / 16777216.0);
  }
  if (rounded >= HALF_BEYOND) {
    rounded = INFINITY;
  }
  return bitcast<f32>((bits & 0x80000000u) | rounded);
}

// The float32 copy, where the parameter is what it rounds to. Bits are compared, since infinity counts, too.
fn masterOf(value: f32, copy: f32) -> f32 {
  return select(value, copy, bitcast<u32>(nearestHalf(copy)) == bitcast<u32>(value));
}

@compute @workgroup_size(THREADS)
fn main(
  @builtin(workgroup_id) workgroupId: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let group = workgroupIndex(workgroupId, grid, geometry.firstWorkgroup);
  let slot = endedBefore(group, geometry.ends);
  if (slot > 3u || progress[0].isLeftOut != 0.0) {
    return;
  }
  let size = geometry.sizes[slot];
  let decay = geometry.decays[slot];
  let first = (group - beginOf(slot, geometry.ends)) * THREADS * PER_THREAD + thread;
  for (var i = 0u; i < PER_THREAD; i++) {
    let element = first + i * THREADS;
    if (element < size) {
      let place = geometry.places[slot] + element;
      let loaded = load(slot, element);
      var value = loaded.x;
      if (MASTER) {
        value = masterOf(value, state[place + SECTIONS * size]);
      }
      let gradient = progress[0].scale * loaded.y;
      if (ADAM) {
        value = adam(value, gradient, decay, place, size);
      } else {
        value = sgd(value, gradient, decay, place);
      }
      if (MASTER) {
        state[place + SECTIONS * size] = value;
        value = nearestHalf(value);
      }
      store(slot, element, value);
    }
  }
}
