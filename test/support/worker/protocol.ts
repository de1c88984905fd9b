/** What a page and the worker of test/gpu/worker.browser.test.ts tell each other. */
import type { ConvOptions } from "webgpu-conv";

/** A layer to run, forward and back. */
export interface LayerRequest {
  readonly input: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly dy: Float32Array;
}

/** What it gives, and where it ran; or why it did not. */
export type LayerReply =
  | {
      readonly scope: string;
      readonly adapter: string;
      readonly outputShape: readonly number[];
      readonly y: Float32Array;
      readonly dx: Float32Array;
      readonly dw: Float32Array;
    }
  | { readonly error: string };
