// Winograd's minimal filtering F(TILE x TILE, KERNEL x KERNEL): F(2x2, 3x3), F(4x4, 3x3) and F(2x2, 5x5) (Lavin and
// Gray, "Fast Algorithms for Convolutional Neural Networks", 2016): a tile of results from a patch of PATCH x PATCH
// sources with PATCH^2 products a channel.
//
//   tile = A^T [ sum over channels of (G g G^T) * (B^T d B) ] A
//
// and, since that is linear in g, the gradient of the filter from the tiles' gradients:
//
//   dg = G^T [ sum over tiles of (A dy A^T) * (B^T d B) ] G
//
// Patches of 4 are interpolated at 0, 1, -1 and infinity, patches of 6 at 2 and -2 as well: their B^T is the same for
// both extents of the filter. The functions are one axis of each transform, G, B^T and A^T, and A and G^T; entries
// beyond an axis' length mean nothing.
//
// With a dilation, elements of a tile are dilated too: tiles interleave, those of a phase after each other.

const TILE: u32 = 2u; // @specialize
const KERNEL: u32 = 3u; // @specialize

const PATCH: u32 = TILE + KERNEL - 1u;

// A tile's sample, and the place of its first result; the others follow by the dilation.
struct TilePlace {
  sample: u32,
  top: u32,
  left: u32,
}

// Tiles go row by row over a sample's grid (rows, columns), in which those of all phases take turns along each axis.
fn tilePlace(tile: u32, grid: vec2<u32>, phases: vec2<u32>, dilation: vec2<u32>) -> TilePlace {
  let column = tile % grid.y;
  let row = (tile / grid.y) % grid.x;
  let top = row % phases.x + (row / phases.x) * TILE * dilation.x;
  let left = column % phases.y + (column / phases.y) * TILE * dilation.y;
  return TilePlace(tile / (grid.x * grid.y), top, left);
}

fn transformFilter(g: array<f32, 5>) -> array<f32, 6> {
  if (TILE == 2u && KERNEL == 3u) {
    let even = 0.5 * (g[0] + g[2]);
    let odd = 0.5 * g[1];
    return array<f32, 6>(g[0], even + odd, even - odd, g[2], 0.0, 0.0);
  }
  var even = g[0] + g[2];
  var odd = g[1];
  var wideEven = g[0] + 4.0 * g[2];
  var wideOdd = g[1];
  if (KERNEL == 5u) {
    even += g[4];
    odd += g[3];
    wideEven += 16.0 * g[4];
    wideOdd += 4.0 * g[3];
  }
  even = even / -6.0;
  odd = odd / 6.0;
  wideEven = wideEven / 24.0;
  wideOdd = wideOdd / 12.0;
  return array<f32, 6>(0.25 * g[0], even - odd, even + odd, wideEven + wideOdd, wideEven - wideOdd, g[KERNEL - 1u]);
}

fn transformPatch(d: array<f32, 6>) -> array<f32, 6> {
  if (PATCH == 4u) {
    return array<f32, 6>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3], 0.0, 0.0);
  }
  let even = d[4] - 4.0 * d[2];
  let odd = d[3] - 4.0 * d[1];
  let wideEven = d[4] - d[2];
  let wideOdd = 2.0 * (d[3] - d[1]);
  return array<f32, 6>(
    4.0 * d[0] - 5.0 * d[2] + d[4],
    even + odd,
    even - odd,
    wideEven + wideOdd,
    wideEven - wideOdd,
    4.0 * d[1] - 5.0 * d[3] + d[5]
  );
}

fn transformResult(m: array<f32, 6>) -> array<f32, 4> {
  if (PATCH == 4u) {
    return array<f32, 4>(m[0] + m[1] + m[2], m[1] - m[2] - m[3], 0.0, 0.0);
  }
  let near = m[1] + m[2];
  let nearOdd = m[1] - m[2];
  let far = m[3] + m[4];
  let farOdd = m[3] - m[4];
  if (TILE == 2u) {
    return array<f32, 4>(m[0] + near + far, nearOdd + 2.0 * farOdd + m[5], 0.0, 0.0);
  }
  return array<f32, 4>(m[0] + near + far, nearOdd + 2.0 * farOdd, near + 4.0 * far, nearOdd + 8.0 * farOdd + m[5]);
}

fn transformResultGradient(d: array<f32, 6>) -> array<f32, 6> {
  if (PATCH == 4u) {
    return array<f32, 6>(d[0], d[0] + d[1], d[0] - d[1], -d[1], 0.0, 0.0);
  }
  if (TILE == 2u) {
    return array<f32, 6>(d[0], d[0] + d[1], d[0] - d[1], d[0] + 2.0 * d[1], d[0] - 2.0 * d[1], d[1]);
  }
  let even = d[0] + d[2];
  let odd = d[1] + d[3];
  let wideEven = d[0] + 4.0 * d[2];
  let wideOdd = 2.0 * d[1] + 8.0 * d[3];
  return array<f32, 6>(d[0], even + odd, even - odd, wideEven + wideOdd, wideEven - wideOdd, d[3]);
}

fn transformFilterGradient(m: array<f32, 6>) -> array<f32, 5> {
  if (PATCH == 4u) {
    let even = 0.5 * (m[1] + m[2]);
    return array<f32, 5>(m[0] + even, 0.5 * (m[1] - m[2]), even + m[3], 0.0, 0.0);
  }
  let near = (m[1] + m[2]) / 6.0;
  let nearOdd = (m[2] - m[1]) / 6.0;
  let far = (m[3] + m[4]) / 6.0;
  let farOdd = (m[3] - m[4]) / 12.0;
  if (KERNEL == 3u) {
    return array<f32, 5>(0.25 * m[0] - near + 0.25 * far, nearOdd + farOdd, far - near + m[5], 0.0, 0.0);
  }
  return array<f32, 5>(
    0.25 * m[0] - near + 0.25 * far,
    nearOdd + farOdd,
    far - near,
    nearOdd + 4.0 * farOdd,
    4.0 * far - near + m[5]
  );
}
