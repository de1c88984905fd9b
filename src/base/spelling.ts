/** What a caller may have meant by an unknown word: another spelling, or another library's name. */
import { require, show } from "./errors.js";

/**
 * Names and words of PyTorch, TensorFlow and Keras, JAX, ONNX and WebNN, in small letters and digits, with the names that they
 * have here, the most likely first.
 */
const SYNONYMS: Readonly<Record<string, string>> = {
  pad: "padding",
  pads: "padding",
  autopad: "padding",
  border: "paddingMode replicate",
  bordermode: "paddingMode",
  paddingtype: "paddingMode",
  windowstrides: "stride",
  subsample: "stride",
  rate: "dilation",
  dilationrate: "dilation",
  rhsdilation: "dilation",
  featuregroupcount: "groups",
  dataformat: "layout",
  inputlayout: "layout",
  memoryformat: "layout",
  filterlayout: "weightLayout",
  kernellayout: "weightLayout",
  outputshape: "outputSize",
  outputsizes: "outputSize",
  usebias: "bias",
  kernelsize: "kernel",
  kernelshape: "kernel",
  filtersize: "kernel",
  infeatures: "inChannels",
  inputchannels: "inChannels",
  outfeatures: "outChannels",
  outputchannels: "outChannels",
  filters: "outChannels",
  skip: "residual",
  shortcut: "residual",
  nonlinearity: "activation",
  act: "activation",
  slope: "negativeSlope",
  alpha: "negativeSlope",
  algorithm: "solver",
  precision: "dtype",
  colormap: "colors",
  byteoffset: "offset",
  nwc: "channels-last",
  nhwc: "channels-last",
  ndhwc: "channels-last",
  ncw: "channels-first",
  nchw: "channels-first",
  ncdhw: "channels-first",
  sameupper: "same",
  notset: "valid",
  none: "valid",
  constant: "zeros",
  mirror: "reflect",
  edge: "replicate",
  wrap: "circular",
  fp16: "float16",
  f16: "float16",
  half: "float16",
  fp32: "float32",
  f32: "float32",
  float: "float32",
  single: "float32",
  bf16: "bfloat16",
  hswish: "hard-swish",
  hsigmoid: "hard-sigmoid",
  swish: "silu",
  hardtanh: "clamp",
  clip: "clamp",
  logistic: "sigmoid",
  linear: "none",
  identity: "none",
  gpu: "webgpu",
  wasm: "cpu",
  grey: "gray",
  grayscale: "gray",
};

const plain = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The one of `words` that `given` is another spelling of, or another library's name for; undefined where none is. */
function spelled(given: string, words: readonly string[]): string | undefined {
  const bare = plain(given);
  const meant = Object.hasOwn(SYNONYMS, bare) ? SYNONYMS[bare].split(" ") : [];
  return words.find((word) => plain(word) === bare) ?? meant.find((word) => words.includes(word));
}

/** Likewise. Where there is none, the one of `words` with the fewest typing errors, if they are few. */
export function nearest(given: string, words: readonly string[]): string | undefined {
  const known = spelled(given, words);
  if (known !== undefined || given.length > LONGEST_WORD) return known;
  const bare = plain(given);
  const slips = words.map((word) => editDistance(bare, plain(word)));
  const fewest = Math.min(...slips);
  return fewest <= bare.length / 3 ? words[slips.indexOf(fewest)] : undefined;
}

const LONGEST_WORD = 40;

/** Letters put in, left out, replaced or exchanged with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const table = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = table[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(table[i - 1][j] + 1, next[j - 1] + 1, replaced);
      const exchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (exchanged) next[j] = Math.min(next[j], table[i - 2][j - 2] + 1);
    }
    table.push(next);
  }
  return table[a.length][b.length];
}

/** Words that callers easily give for another option. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  layout: ["channels-first", "channels-last"],
  weightLayout: ["OIHW", "HWIO", "OHWI", "IHWO"],
  padding: ["valid", "same", "same-lower"],
  paddingMode: ["zeros", "reflect", "symmetric", "replicate", "circular"],
};

/** The end of a message about a wrong word: `: did you mean "same"?`, or nothing. */
export function spellingHint(option: string, given: unknown, words: readonly string[]): string {
  if (typeof given !== "string") return "";
  const meant = nearest(given, words);
  if (meant !== undefined) return `: did you mean ${show(meant)}?`;
  for (const [other, theirs] of Object.entries(WORDS)) {
    const word = other === option ? undefined : spelled(given, theirs);
    if (word !== undefined) return `: did you mean ${other}: ${show(word)}?`;
  }
  return "";
}

/** Throws unless `given` is one of the words that the option takes. */
export function requireWord<Word extends string>(
  option: string,
  given: unknown,
  words: readonly Word[],
): asserts given is Word {
  require(words.includes(given as Word), () => {
    const listed = words.map(show).join(words.length === 2 ? " or " : ", ");
    return `${option} is ${show(given)}; expected ${listed}${spellingHint(option, given, words)}`;
  });
}
