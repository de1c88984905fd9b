/**
 * Machine code of Intel's GPUs, as Mesa prints it: "LABEL3:", then an instruction a line, "mad(16) g3<1>F ...", and below a
 * message ("send") what it asks for. Scratch is an OWORD block message to surface 253, or from Gfx12.5 on a `ugm` message
 * whose surface state is in a register ("ss"); workgroup memory is surface 254 or `slm`.
 */
import type { Instruction, Kind } from "./loops.js";

const MOST_TURNS = 256;

interface Line {
  /** "mad", "cmp.ge.f0.0" */
  readonly name: string;
  /** Lanes. */
  readonly width: number;
  readonly isPredicated: boolean;
  text: string;
}

const INSTRUCTION = /^(?:\([^)]*\)\s+)?([a-z_0-9.]+)(?:\s+[a-z]+)?\((\d+)\)/;

function kindOf({ name, text }: Line): Kind {
  if (/^(?:mad|mac|fma)\b/.test(name) && /<\d+>H?F/.test(text)) return "multiplyAdd";
  if (name.startsWith("send")) return messageKind(text);
  if (/^(?:if|else|endif|while|break|cont|halt|jmpi|sync|nop|wait)\b/.test(name)) return "scalar";
  return "vector";
}

function messageKind(text: string): Kind {
  if (text.includes("bti 253") && text.includes("OWORD")) return "scratch";
  if (/\bugm MsgDesc/.test(text) && text.includes(", ss )")) return "scratch";
  if (/\bslm MsgDesc|(?:bti|[Ss]urface =) 254/.test(text)) return "shared";
  return "memory";
}

function readLines(assembly: string): {
  readonly lines: readonly Line[];
  readonly labels: ReadonlyMap<string, number>;
} {
  const labels = new Map<string, number>();
  const lines: Line[] = [];
  for (const text of assembly.split("\n")) {
    const label = /^(LABEL\d+):/.exec(text);
    const instruction = INSTRUCTION.exec(text);
    if (label) labels.set(label[1], lines.length);
    else if (instruction) {
      const [, name, width] = instruction;
      // Waits that stand alone are bookkeeping, and issue nothing.
      if (name !== "sync" && name !== "nop")
        lines.push({ name, width: Number(width), isPredicated: text.startsWith("("), text });
    } else if (lines.length > 0 && text.includes("MsgDesc")) lines[lines.length - 1].text += ` ${text.trim()}`;
  }
  return { lines, labels };
}

/** Turns that a predicated jump at `at` allows, where the flag is a comparison with a constant. */
function turnsBefore(lines: readonly Line[], at: number): number | undefined {
  for (let i = at - 1; i >= 0; i--) {
    if (!/\.f\d/.test(lines[i].name)) continue;
    const compared = /^cmp\.(?:ge|l)\.f0\.0$/.test(lines[i].name) && /\s0x([0-9a-f]{8})UD\s/.exec(lines[i].text);
    const turns = compared ? parseInt(compared[1], 16) : 0;
    return turns >= 2 && turns <= MOST_TURNS ? turns : undefined;
  }
  return undefined;
}

/** The last representation in a driver's text, "#### GEN Assembly", as instructions of a kernel of so many lanes. */
export function readIntel(text: string, subgroup: number): readonly Instruction[] {
  const { lines, labels } = readLines(text.split("#### GEN Assembly").at(-1) ?? "");
  return lines.map((line, at) => {
    const kind = kindOf(line);
    const back = line.name === "while" ? /JIP:\s+(LABEL\d+)/.exec(line.text) : null;
    const jumpsTo = back ? labels.get(back[1]) : undefined;
    const leaves = line.isPredicated && /^(?:while|break)$/.test(line.name);
    const turns = leaves ? turnsBefore(lines, at) : undefined;
    return {
      kind,
      // An instruction of fewer lanes is a part of one.
      ...(kind === "multiplyAdd" && { multiplyAdds: Math.min(1, line.width / subgroup) }),
      ...(jumpsTo !== undefined && { jumpsTo }),
      ...(turns !== undefined && { turns }),
    };
  });
}
