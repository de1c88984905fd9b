/**
 * The platform's types that the published declarations use, under their own names, so that the declarations compile anywhere.
 * Each is the global type where the caller's compiler has it ("DOM" and "WebWorker" of TypeScript 6 and later, or the package
 * `@webgpu/types`). Elsewhere, as in Node without either, WebGPU's objects are plain objects, and pictures are objects with
 * ImageData's fields.
 */

/** The instances of a global class; `Otherwise` where the compiler knows no such class. */
type Instance<Name extends string, Otherwise> =
  typeof globalThis extends Readonly<Record<Name, { readonly prototype: infer Known }>> ? Known : Otherwise;

export type GPU = Instance<"GPU", object>;
export type GPUDevice = Instance<"GPUDevice", object>;
export type GPUBuffer = Instance<"GPUBuffer", object>;
export type GPUTexture = Instance<"GPUTexture", object>;
export type GPUCommandEncoder = Instance<"GPUCommandEncoder", object>;
export type GPUCanvasContext = Instance<"GPUCanvasContext", object>;

/** What a caller's function is told by, such as one that calls `fetch`. */
export type AbortSignal = Instance<"AbortSignal", object>;

export type GPUPowerPreference = "low-power" | "high-performance";

/** A part of a buffer, in bytes. */
export interface GPUBufferBinding {
  buffer: GPUBuffer;
  offset?: number;
  size?: number;
}

/** Pixels in RGBA order, row by row from the top, 4 bytes each: the class ImageData, or what has its fields. */
export interface ImageDataLike {
  readonly data: Uint8ClampedArray | Uint8Array;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
}

/** WebGPU's type of that name, and objects with ImageData's fields where there is no such class. */
export type GPUCopyExternalImageSource =
  | ImageDataLike
  | Instance<"ImageData", never>
  | Instance<"ImageBitmap", never>
  | Instance<"HTMLImageElement", never>
  | Instance<"HTMLVideoElement", never>
  | Instance<"HTMLCanvasElement", never>
  | Instance<"OffscreenCanvas", never>
  | Instance<"VideoFrame", never>;
