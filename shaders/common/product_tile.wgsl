// A tile of a matrix product C = A B, computed by a workgroup: what the kernels of implicit GEMM share.
//
// C has TILE_M x TILE_N. TILE_K of both factors are in workgroup memory at a time. Each thread holds M_PER_THREAD x
// (4 * VECTORS_PER_THREAD) sums in registers, those of its m in a row. A picture: src/solvers/implicitGemm.

// What tiles hold: f16 where that is exact and multiply-adds take it as it is. Sums are f32.
alias Held = f32; // @specialize

const THREADS_N: u32 = 16u; // @specialize
const THREADS_M: u32 = 16u; // @specialize
const M_PER_THREAD: u32 = 4u; // @specialize
const VECTORS_PER_THREAD: u32 = 1u; // @specialize
const TILE_K: u32 = 16u; // @specialize
// Of K, those that are unrolled: a divisor of TILE_K. A multiple of four but on condition M_VECTORS.
const UNROLL: u32 = 4u; // @specialize
// Vectors that follow each k of B: with one, threads that write neighbours along K use different banks.
const PADDING: u32 = 0u; // @specialize

const THREADS: u32 = THREADS_N * THREADS_M;
const TILE_M: u32 = THREADS_M * M_PER_THREAD;
const TILE_N_VECTORS: u32 = THREADS_N * VECTORS_PER_THREAD;
const TILE_N: u32 = TILE_N_VECTORS * 4u;
const TILE_K_VECTORS: u32 = TILE_K / 4u;
const SUMS: u32 = M_PER_THREAD * VECTORS_PER_THREAD;
const PITCH: u32 = TILE_N_VECTORS + PADDING;
// Vectors of each factor that a thread loads. Neighbours along K of a thread's vectors of B are B_STEP apart.
const A_LOADS: u32 = (TILE_M * TILE_K_VECTORS + THREADS - 1u) / THREADS;
const B_LOADS: u32 = TILE_K * TILE_N_VECTORS / THREADS;
const B_STEP: u32 = THREADS / TILE_N_VECTORS;

// Four of K for one m, or on condition M_VECTORS four of M for one k; and four of N for one k.
var<workgroup> tileA: array<vec4<Held>, TILE_M * TILE_K_VECTORS>;
var<workgroup> tileB: array<vec4<Held>, TILE_K * PITCH>;

// Whether every thread loads as many vectors of A.
const EVEN_A: bool = TILE_M * TILE_K_VECTORS % THREADS == 0u;

// K is no multiple of TILE_K: the last tiles have fewer k, and `countK` says how many. Otherwise nobody asks.
const RAGGED: bool = false; // @specialize

// Threads lie along N, then along M. All derive their numbers in these words: compilers then keep each once. Remainders
// keep indices within bounds that compilers can see: of a parameter, or of what a function returns, they know nothing,
// and would check each. What is constant is added last, so that it adds to addresses.
fn multiplyTile(sums: ptr<function, array<vec4<f32>, SUMS>>, thread: u32, countK: u32) {
  let threadN = thread % THREADS_N;
  let threadM = (thread / THREADS_N) % THREADS_M;
  for (var turn = 0u; turn < TILE_K / UNROLL; turn++) {
    if (RAGGED && turn * UNROLL >= countK) {
      break;
    }
    let turnB = threadN + turn * (UNROLL * PITCH);
    @if(M_VECTORS) {
      let turnA = threadM * (M_PER_THREAD / 4u) + turn * (UNROLL * TILE_M / 4u);
      for (var k = 0u; k < UNROLL; k++) { // @unroll
        for (var q = 0u; q < M_PER_THREAD / 4u; q++) { // @unroll
          let a = vec4<f32>(tileA[turnA + (k * (TILE_M / 4u) + q)]);
          for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
            let b = vec4<f32>(tileB[turnB + (k * PITCH + v * THREADS_N)]);
            for (var j = 0u; j < 4u; j++) { // @unroll
              (*sums)[(q * 4u + j) * VECTORS_PER_THREAD + v] += a[j] * b;
            }
          }
        }
      }
    } @else {
      let turnA = threadM * (M_PER_THREAD * TILE_K_VECTORS) + turn * (UNROLL / 4u);
      for (var u = 0u; u < UNROLL / 4u; u++) { // @unroll
        var b: array<vec4<f32>, 4u * VECTORS_PER_THREAD>;
        for (var i = 0u; i < 4u; i++) { // @unroll
          for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
            b[i * VECTORS_PER_THREAD + v] = vec4<f32>(tileB[turnB + ((u * 4u + i) * PITCH + v * THREADS_N)]);
          }
        }
        for (var m = 0u; m < M_PER_THREAD; m++) { // @unroll
          let a = vec4<f32>(tileA[turnA + (u + m * TILE_K_VECTORS)]);
          for (var v = 0u; v < VECTORS_PER_THREAD; v++) { // @unroll
            (*sums)[m * VECTORS_PER_THREAD + v] += a.x * b[v];
            (*sums)[m * VECTORS_PER_THREAD + v] += a.y * b[VECTORS_PER_THREAD + v];
            (*sums)[m * VECTORS_PER_THREAD + v] += a.z * b[2u * VECTORS_PER_THREAD + v];
            (*sums)[m * VECTORS_PER_THREAD + v] += a.w * b[3u * VECTORS_PER_THREAD + v];
          }
        }
      }
    }
  }
}
