// Peak rate of f32 multiply-adds: s = s * factor + addend, in 16 sums that do not wait for each other.
//
// Dispatch: any number of workgroups along x, one result element a thread.
// FLOPs: threads * loops * 2 rounds * 16 sums * 2.

struct Parameters {
  loops: u32,
  // Below 1, so that the sums stay finite however many loops there are. From the host, so that nothing folds away.
  factor: f32,
  addend: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let f = parameters.factor;
  let a = parameters.addend;
  var s0 = f32(id.x);
  var s1 = s0 + 1.0;
  var s2 = s0 + 2.0;
  var s3 = s0 + 3.0;
  var s4 = s0 + 4.0;
  var s5 = s0 + 5.0;
  var s6 = s0 + 6.0;
  var s7 = s0 + 7.0;
  var s8 = s0 + 8.0;
  var s9 = s0 + 9.0;
  var s10 = s0 + 10.0;
  var s11 = s0 + 11.0;
  var s12 = s0 + 12.0;
  var s13 = s0 + 13.0;
  var s14 = s0 + 14.0;
  var s15 = s0 + 15.0;
  for (var i = 0u; i < parameters.loops; i++) {
    s0 = fma(s0, f, a);
    s1 = fma(s1, f, a);
    s2 = fma(s2, f, a);
    s3 = fma(s3, f, a);
    s4 = fma(s4, f, a);
    s5 = fma(s5, f, a);
    s6 = fma(s6, f, a);
    s7 = fma(s7, f, a);
    s8 = fma(s8, f, a);
    s9 = fma(s9, f, a);
    s10 = fma(s10, f, a);
    s11 = fma(s11, f, a);
    s12 = fma(s12, f, a);
    s13 = fma(s13, f, a);
    s14 = fma(s14, f, a);
    s15 = fma(s15, f, a);
    s0 = fma(s0, f, a);
    s1 = fma(s1, f, a);
    s2 = fma(s2, f, a);
    s3 = fma(s3, f, a);
    s4 = fma(s4, f, a);
    s5 = fma(s5, f, a);
    s6 = fma(s6, f, a);
    s7 = fma(s7, f, a);
    s8 = fma(s8, f, a);
    s9 = fma(s9, f, a);
    s10 = fma(s10, f, a);
    s11 = fma(s11, f, a);
    s12 = fma(s12, f, a);
    s13 = fma(s13, f, a);
    s14 = fma(s14, f, a);
    s15 = fma(s15, f, a);
  }
  let low = s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7;
  let high = s8 + s9 + s10 + s11 + s12 + s13 + s14 + s15;
  result[id.x] = low + high;
}
