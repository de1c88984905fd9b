/** What the kernels of networks have in common. */
import type { Capabilities } from "../../planning/capabilities.js";
import { foldWorkgroups, type Workgroups } from "../../planning/solver.js";
import type { DType } from "../../problem/dtype.js";

/** Threads of a workgroup in the kernels of networks. */
export const THREADS = 64;

/** The least power of two that is at least so much. */
export const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(least));

/** Workgroups of 64 threads, one for each of so many elements. */
export const workgroupsFor = (elements: number, capabilities: Capabilities): Workgroups =>
  foldWorkgroups(Math.ceil(elements / THREADS), capabilities);

/** How kernels read and write a tensor. Where shaders lack f16, float16 tensors are converted around them. */
export const elementOf = (dtype: DType, { shaderF16 }: Capabilities): "f16" | "f32" =>
  dtype === "float16" && shaderF16 ? "f16" : "f32";
