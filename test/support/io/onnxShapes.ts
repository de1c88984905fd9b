/** ONNX's operators whose results' shapes follow from the shape of what they run on, as tests write them. */
import { floats, integers, only, upTo } from "./loadOnnx.js";
import type { ModelSpec, TensorSpec } from "./onnxFile.js";

export const sliced = (start: number, end: number, axis: number, step: number): ModelSpec =>
  only("Slice", {}, [integers(start), integers(end), integers(axis), integers(step)]);
export const ones = (axes: number, value: number): TensorSpec => ({
  shape: new Array<number>(axes).fill(1),
  data: [value],
});

export const SQUARES = (count: number): number[] => upTo(count).map((i) => i * i - 3);
export const NEAREST = {
  mode: "nearest",
  coordinate_transformation_mode: "asymmetric",
  nearest_mode: "floor",
} as const;
export const resized = (attributes: ModelSpec["nodes"][number]["attributes"], scales: TensorSpec): ModelSpec =>
  only("Resize", { ...NEAREST, ...attributes }, [floats(), scales], 18);
/** Rows and columns. */
export const aspect = (policy: string, ...sizes: readonly number[]): ModelSpec =>
  only(
    "Resize",
    { ...NEAREST, axes: [2, 3], keep_aspect_ratio_policy: policy },
    [floats(), floats(), integers(...sizes)],
    18,
  );
