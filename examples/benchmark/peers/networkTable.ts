/** What the tables of networks have in common, those that are trained and those that are published. */
import { CPU_BASELINE, OWN_ENGINE } from "./engine.js";

const MEBIBYTE = 2 ** 20;

/** One engine's numbers for one network. */
interface NetworkNumbers {
  readonly network: string;
  readonly engine: string;
  /** Null where the engine could not do it. */
  readonly ms: number | null;
  readonly verdict: "pass" | "fail" | "cannot";
  readonly reason?: string;
}

/** The first two columns are words. */
export function formatCells(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const align = head.map((_, column) => (column < 2 ? "---" : "---:"));
  return [head, align, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** A wrong result has no speed. */
export function formatTime({ ms, verdict }: NetworkNumbers): string {
  if (ms === null) return verdict === "fail" ? "failed" : "cannot";
  return verdict === "pass" ? ms.toFixed(1) : "wrong";
}

/** Empty where there is none. */
export const formatFixed = (value: number | null, decimals: number): string => value?.toFixed(decimals) ?? "";
export const formatMebibytes = (bytes: number | null): string =>
  bytes === null ? "" : formatFixed(bytes / MEBIBYTE, 1);
export const formatOff = (value: number | null): string => value?.toExponential(1) ?? "NaN";

/** A line a network, of what `compare` finds in its rows. */
export function formatComparisons<Row extends NetworkNumbers>(
  rows: readonly Row[],
  compare: (group: readonly Row[]) => string | undefined,
): string {
  const networks = [...new Set(rows.map(({ network }) => network))];
  return networks
    .flatMap((network) => {
      const comparison = compare(rows.filter((row) => row.network === network));
      return comparison === undefined ? [] : [`- ${network}: ${comparison}`];
    })
    .join("\n");
}

/** This engine, and the others on WebGPU, the fastest first; undefined where this one, or every other, has no right result. */
export function rivalsIn<Row extends NetworkNumbers>(
  rows: readonly Row[],
): { readonly own: Row; readonly peers: readonly Row[] } | undefined {
  const right = rows.filter(({ verdict, ms }) => verdict === "pass" && ms !== null);
  const own = right.find(({ engine }) => engine === OWN_ENGINE);
  const peers = right
    .filter(({ engine }) => engine !== OWN_ENGINE && engine !== CPU_BASELINE)
    .sort((a, b) => Number(a.ms) - Number(b.ms));
  return own && peers.length > 0 ? { own, peers } : undefined;
}

/** Each row that is not right, with what the engine said. */
export function formatReasons(rows: readonly NetworkNumbers[]): string[] {
  const lines = rows.flatMap(({ network, engine, verdict, reason }) => {
    if (verdict === "pass") return [];
    const words = (reason ?? "the results are not those of float64").replaceAll(/\s+/g, " ").trim();
    return [`- ${engine}, ${network}: ${words}`];
  });
  return lines.length === 0 ? [] : [["Not done, or wrong:", "", ...lines].join("\n")];
}
