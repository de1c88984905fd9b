// Tensors of either layout as volumes: [outer, depth, height, width, inner]. Channels-first ones have batch and
// channels outside, and one element inside; channels-last ones have the batch outside and the channels inside.
import package::common::space::{flatten, unflatten};

const CHANNELS_LAST: bool = true; // @specialize

struct Place {
  outer: u32,
  at: vec3<u32>,
  inner: u32,
}

fn placeOf(element: u32, size: vec3<u32>, inner: u32) -> Place {
  let position = select(element, element / inner, CHANNELS_LAST);
  let positions = size.x * size.y * size.z;
  let at = unflatten(position % positions, size);
  return Place(position / positions, at, select(0u, element % inner, CHANNELS_LAST));
}

// The element of a volume of that size, at a place of another.
fn elementAt(place: Place, at: vec3<u32>, size: vec3<u32>, inner: u32) -> u32 {
  let position = place.outer * size.x * size.y * size.z + flatten(at, size);
  return select(position, position * inner + place.inner, CHANNELS_LAST);
}
