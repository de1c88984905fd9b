/** The elements of .npy files as tensors have them: row-major and little-endian. */
import { ELEMENT_BYTES, type SafeTensor } from "../safeTensor.js";
import type { NpyHeader } from "./npyHeader.js";

/** A tensor of a header and its data, whose memory becomes the tensor's. */
export function npyTensor({ dtype, shape, isFortran, isBigEndian }: NpyHeader, data: Uint8Array): SafeTensor {
  const size = ELEMENT_BYTES[dtype];
  if (isBigEndian && size > 1) reverseEach(data, size);
  // With one axis that is longer than 1 at most, both orders are the same.
  const isTurned = isFortran && shape.filter((extent) => extent !== 1).length > 1 && data.length > 0;
  return { dtype, shape, bytes: isTurned ? rowMajor(data, shape, size) : data };
}

function reverseEach(data: Uint8Array, size: number): void {
  for (let begin = 0; begin < data.length; begin += size)
    for (let i = 0; i < size / 2; i++) {
      const [low, high] = [begin + i, begin + size - 1 - i];
      [data[low], data[high]] = [data[high], data[low]];
    }
}

/** Elements whose first axis runs fastest, in an order in which the last one does. */
function rowMajor(data: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const Words = size === 1 ? Uint8Array : size === 2 ? Uint16Array : Uint32Array;
  const words = size / Words.BYTES_PER_ELEMENT;
  // A copy begins at a multiple of a word.
  const from = new Words(new Uint8Array(data).buffer);
  const to = new Words(from.length);
  let distance = words;
  const distances = shape.map((extent) => {
    const own = distance;
    distance *= extent;
    return own;
  });
  const last = shape.length - 1;
  const indices = new Array<number>(shape.length).fill(0);
  let row = 0;
  for (let at = 0; at < to.length;) {
    for (let i = 0; i < shape[last]; i++)
      for (let word = 0; word < words; word++) to[at++] = from[row + i * distances[last] + word];
    // The next row: the last axis but one goes on, and those before it where that is at its end.
    for (let axis = last - 1; axis >= 0; axis--) {
      row += distances[axis];
      if (++indices[axis] < shape[axis]) break;
      row -= distances[axis] * shape[axis];
      indices[axis] = 0;
    }
  }
  return new Uint8Array(to.buffer);
}
