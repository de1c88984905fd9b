/** Which passes of which layers are reported. */
import { LAYERS } from "./layers.js";
import { type Case, PASSES } from "./plan.js";

const BATCHES = [1, 32] as const;

/** How a case is named where one is looked for: "ResNet-50 64>64 3x3 56 batch 1 forward". */
export const caseName = ({ layer, batch, pass, layout, dtype }: Case): string =>
  `${layer.network} ${layer.name} batch ${batch} ${pass} ${layout} ${dtype}`;

/** What is not plain: "", "channels-last", "float16". */
export function variantOf({ layout, dtype }: Case): string {
  return [layout === "channels-first" ? "" : layout, dtype === "float32" ? "" : dtype]
    .filter((word) => word !== "")
    .join(" ");
}

const plainCases: readonly Case[] = LAYERS.flatMap((layer) =>
  BATCHES.flatMap((batch) =>
    PASSES.map((pass): Case => ({ layer, batch, pass, layout: "channels-first", dtype: "float32" })),
  ),
);

/** Channels-last and float16, of one layer of each kind. */
const variedCases: readonly Case[] = plainCases
  .filter(({ layer }) => layer.varied)
  .flatMap((plain): Case[] => [
    { ...plain, layout: "channels-last" },
    { ...plain, dtype: "float16" },
  ]);

export const CASES: readonly Case[] = [...plainCases, ...variedCases];

export interface Choice {
  /** Parts of the name that it must have, in either case of letters. */
  readonly filter: string;
  /** 1 or 32; both when absent. */
  readonly batch?: number;
}

export function chooseCases({ filter, batch }: Choice): readonly Case[] {
  const words = filter.toLowerCase().split(/\s+/);
  return CASES.filter((wanted) => {
    const name = caseName(wanted).toLowerCase();
    return (batch === undefined || wanted.batch === batch) && words.every((word) => name.includes(word));
  });
}
