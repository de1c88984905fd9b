/** safetensors files as bytes, however wrong. */

/** A file with this text as its header, and these data. */
export function safetensorsFile(text: string, data = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const file = new Uint8Array(8 + bytes.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(bytes.length), true);
  file.set(bytes, 8);
  file.set(data, 8 + bytes.length);
  return file;
}
