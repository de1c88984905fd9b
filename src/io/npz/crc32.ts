/** CRC-32, as ZIP files and gzip have it (ITU-T V.42): the polynomial 0xEDB88320, bits reversed. */

const POLYNOMIAL = 0xedb88320;
/** Bytes that are taken at once, by a table for each. */
const SLICES = 4;

/** Of each byte, what it leaves with 0 to 3 bytes of zero behind it. */
function makeTables(): readonly Uint32Array[] {
  const tables = Array.from({ length: SLICES }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ POLYNOMIAL : rest >>> 1;
    tables[0][byte] = rest;
  }
  for (let slice = 1; slice < SLICES; slice++)
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[slice - 1][byte];
      tables[slice][byte] = (before >>> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}

/** The checksum of bytes, an unsigned number of 32 bits. */
export function crc32(bytes: Uint8Array): number {
  const [first, second, third, fourth] = makeTables();
  let sum = 0xffffffff;
  const whole = bytes.length - (bytes.length % SLICES);
  for (let at = 0; at < whole; at += SLICES) {
    sum ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    sum = fourth[sum & 0xff] ^ third[(sum >>> 8) & 0xff] ^ second[(sum >>> 16) & 0xff] ^ first[sum >>> 24];
  }
  for (let at = whole; at < bytes.length; at++) sum = (sum >>> 8) ^ first[(sum ^ bytes[at]) & 0xff];
  return (sum ^ 0xffffffff) >>> 0;
}
