/** Compilers' messages about a kernel's text, with the lines that they are about. */

/** The first message is the cause. The others mostly follow from it. */
const MESSAGES_SHOWN = 3;
const LINES_AROUND = 2;

/** The compiler's first messages with their lines; undefined where there are none. */
export async function cite(module: GPUShaderModule, code: string): Promise<string | undefined> {
  const { messages } = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const errors = messages.filter(({ type }) => type === "error");
  if (errors.length === 0) return undefined;
  const lines = code.split("\n");
  const cited = errors.slice(0, MESSAGES_SHOWN).map((error) => citation(lines, error));
  return [...cited, ...(errors.length > MESSAGES_SHOWN ? [`(${String(errors.length)} errors)`] : [])].join("\n");
}

function citation(lines: readonly string[], { lineNum, message }: GPUCompilationMessage): string {
  // The compiler of Firefox and Deno draws the line below its message.
  const [said] = message.trim().split(/\n\s*┌/);
  if (lineNum === 0) return said;
  const first = Math.max(1, lineNum - LINES_AROUND);
  const shown = lines.slice(first - 1, lineNum + LINES_AROUND).map((line, i) => {
    const number = first + i;
    return `${number === lineNum ? ">" : " "} ${String(number).padStart(4)} | ${line}`;
  });
  return [`line ${String(lineNum)}: ${said}`, ...shown].join("\n");
}
