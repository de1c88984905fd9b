/** What a place is asked to measure: plain data, bytes as base64, since pages and processes are handed JSON. */
import type { Published } from "./published.js";

export interface NetworkTask {
  readonly network: Published;
  readonly model: string;
  /** Empty where the model's file has them. */
  readonly weights: string;
  /** float32 values of the input. */
  readonly x: string;
  /** float32 values of the result, of the float64 reference rounded. */
  readonly expected: string;
}

/** A network as engines get it: its files in memory, and a picture. */
export interface NetworkInMemory {
  readonly network: Published;
  readonly model: Uint8Array<ArrayBuffer>;
  readonly weights: Uint8Array<ArrayBuffer>;
  readonly x: Float32Array<ArrayBuffer>;
}

/** What an engine is to this comparison: a network that is loaded, with the picture uploaded. */
export interface RunningNetwork {
  /** Whose buffers are counted; undefined on the CPU. */
  readonly device: GPUDevice | undefined;
  /** Runs the network, and reads its result, in the order of the file. */
  run(): Promise<Float32Array>;
  /** Gives its memory back. */
  close(): void | Promise<void>;
}

export const encodeFloats = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");

export function decodeBytes(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

export const decodeFloats = (text: string): Float32Array<ArrayBuffer> => new Float32Array(decodeBytes(text).buffer);
