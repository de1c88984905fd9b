/** Machine code of AMD's GPUs, as Mesa's ACO prints it: blocks "BB12:", then an instruction a line. */
import type { Instruction, Kind } from "./loops.js";

/** Most turns that a comparison with a constant is taken for. */
const MOST_TURNS = 256;

const FUSED =
  /^v_(?:dual_)?(?:pk_)?(?:fma|fmac|mac|mad|fmaak|fmamk|madak|madmk|dot2c?)(?:_mix|_mixlo|_mixhi)?(?:_legacy)?_f(?:16|32)/;

function kindOf(name: string): Kind {
  if (FUSED.test(name)) return "multiplyAdd";
  if (/^v_(?:mul_lo|mul_hi|mad_[ui]64)/.test(name)) return "slowMultiply";
  if (name.startsWith("v_")) return "vector";
  if (name.startsWith("ds_")) return "shared";
  if (name.startsWith("scratch_")) return "scratch";
  if (/^(?:buffer|global|flat|tbuffer)_/.test(name)) return "memory";
  return "scalar";
}

/** Multiply-adds of a lane: packed halves, and sums of two products, are two. */
const multiplyAddsOf = (name: string): number => (/^v_(?:pk_|dot2)/.test(name) ? 2 : 1);

/** An instruction's name and the rest of its line; of two that are issued at once, both. */
function readLine(line: string): readonly string[] {
  const [text] = line.split(";");
  return text.split("::").map((part) => part.trim());
}

/** Turns that a jump at `at` allows, where the comparison before it is with a constant and nothing else decides. */
function turnsBefore(lines: readonly string[], at: number): number | undefined {
  for (let i = at - 1; i >= 0; i--) {
    const compared = /^s_cmp_(?:ge|lt)_u32 s\d+, (0x[0-9a-f]+|\d+)$/.exec(lines[i]);
    if (compared) {
      const turns = Number(compared[1]);
      return turns >= 2 && turns <= MOST_TURNS ? turns : undefined;
    }
    if (/^s_(?!wait|nop|mov|delay|inst|clause|barrier|load|buffer)/.test(lines[i]) || lines[i] === "") return undefined;
  }
  return undefined;
}

/** The last representation in a driver's text, "#### Assembly", as instructions. */
export function readAmd(text: string): readonly Instruction[] {
  const assembly = text.split("#### Assembly").at(-1) ?? "";
  const labels = new Map<string, number>();
  const lines: string[] = [];
  for (const line of assembly.split("\n")) {
    const label = /^(BB\d+):/.exec(line);
    if (label) labels.set(label[1], lines.length);
    else if (line.startsWith("\t")) lines.push(...readLine(line));
  }
  return lines.map((line, at) => {
    const [name] = line.split(" ");
    const jump = /^s_c?branch\S* (BB\d+)/.exec(line);
    const kind = kindOf(name);
    const jumpsTo = jump ? labels.get(jump[1]) : undefined;
    const turns = line.startsWith("s_cbranch_scc") ? turnsBefore(lines, at) : undefined;
    return {
      kind,
      ...(kind === "multiplyAdd" && { multiplyAdds: multiplyAddsOf(name) }),
      ...(jumpsTo !== undefined && { jumpsTo }),
      ...(turns !== undefined && { turns }),
    };
  });
}
