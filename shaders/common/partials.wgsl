// Partial results of a split sum, added in the order of their splits, so that the same device gives the same bits each
// time.

const RUN: u32 = 16u;

@group(0) @binding(7) var<storage, read> partials: array<f32>;

// They are summed in runs, and these in runs of runs, so that as many as there may be take no long chain of sums.
fn sumPartials(element: u32, elements: u32, splitK: u32) -> f32 {
  var sum = 0.0;
  var split = 0u;
  while (split < splitK) {
    let endOfRuns = min(splitK, split + RUN * RUN);
    var runs = 0.0;
    while (split < endOfRuns) {
      let endOfRun = min(endOfRuns, split + RUN);
      var run = 0.0;
      while (split < endOfRun) {
        run += partials[split * elements + element];
        split++;
      }
      runs += run;
    }
    sum += runs;
  }
  return sum;
}
