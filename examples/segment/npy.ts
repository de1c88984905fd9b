/** Files that numpy reads: its format 1.0. */

/** The text begins behind eight bytes of signature and version and two of its length, and what it describes at a multiple of 64. */
const [BEFORE, ALIGNMENT] = [10, 64];

/** A file with a byte for each value, row-major: `numpy.load` gives an array of uint8 of that shape. */
export function npyOf(values: Uint8Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const description = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape.map((extent) => `${String(extent)},`).join(" ")}), }`;
  const begin = Math.ceil((BEFORE + description.length + 1) / ALIGNMENT) * ALIGNMENT;
  const file = new Uint8Array(begin + values.length);
  file.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  new DataView(file.buffer).setUint16(BEFORE - 2, begin - BEFORE, true);
  file.set(new TextEncoder().encode(`${description.padEnd(begin - BEFORE - 1)}\n`), BEFORE);
  file.set(values, begin);
  return file;
}
