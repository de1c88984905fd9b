// Winograd's minimal filtering F(TILE x TILE, 3 x 3), TILE 2 or 4 (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016): a tile of results from a patch of PATCH x PATCH sources with PATCH^2 products a channel.
//
//   tile = A^T [ sum over channels of (G g G^T) * (B^T d B) ] A
//
// and, since that is linear in g, the gradient of the filter from the tiles' gradients:
//
//   dg = G^T [ sum over tiles of (A dy A^T) * (B^T d B) ] G
//
// The functions are one axis of each transform, G, B^T and A^T, and A and G^T; entries beyond an axis' length mean nothing.

const TILE: u32 = 2u; // @specialize

const PATCH: u32 = TILE + 2u;
const PRODUCTS: u32 = PATCH * PATCH;

fn transformFilter(g: array<f32, 3>) -> array<f32, 6> {
  if (TILE == 2u) {
    let even = 0.5 * (g[0] + g[2]);
    let odd = 0.5 * g[1];
    return array<f32, 6>(g[0], even + odd, even - odd, g[2], 0.0, 0.0);
  }
  let even = -(g[0] + g[2]) / 6.0;
  let odd = g[1] / 6.0;
  let wideEven = g[0] / 24.0 + g[2] / 6.0;
  let wideOdd = g[1] / 12.0;
  return array<f32, 6>(0.25 * g[0], even - odd, even + odd, wideEven + wideOdd, wideEven - wideOdd, g[2]);
}

fn transformPatch(d: array<f32, 6>) -> array<f32, 6> {
  if (TILE == 2u) {
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
  if (TILE == 2u) {
    return array<f32, 4>(m[0] + m[1] + m[2], m[1] - m[2] - m[3], 0.0, 0.0);
  }
  let near = m[1] + m[2];
  let nearOdd = m[1] - m[2];
  let far = m[3] + m[4];
  let farOdd = m[3] - m[4];
  return array<f32, 4>(m[0] + near + far, nearOdd + 2.0 * farOdd, near + 4.0 * far, nearOdd + 8.0 * farOdd + m[5]);
}

fn transformResultGradient(d: array<f32, 6>) -> array<f32, 6> {
  if (TILE == 2u) {
    return array<f32, 6>(d[0], d[0] + d[1], d[0] - d[1], -d[1], 0.0, 0.0);
  }
  let even = d[0] + d[2];
  let odd = d[1] + d[3];
  let wideEven = d[0] + 4.0 * d[2];
  let wideOdd = 2.0 * d[1] + 8.0 * d[3];
  return array<f32, 6>(d[0], even + odd, even - odd, wideEven + wideOdd, wideEven - wideOdd, d[3]);
}

fn transformFilterGradient(m: array<f32, 6>) -> array<f32, 3> {
  if (TILE == 2u) {
    let even = 0.5 * (m[1] + m[2]);
    return array<f32, 3>(m[0] + even, 0.5 * (m[1] - m[2]), even + m[3]);
  }
  let near = (m[1] + m[2]) / 6.0;
  let far = (m[3] + m[4]) / 6.0;
  return array<f32, 3>(
    0.25 * m[0] - near + 0.25 * far,
    (m[2] - m[1]) / 6.0 + (m[3] - m[4]) / 12.0,
    far - near + m[5]
  );
}
