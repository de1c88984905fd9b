/** Compiles kernels. Where that fails the error cites what the compiler says, and the lines that it says so of. */
import { DeviceError, textOf } from "../base/errors.js";
import { indent } from "../kernels/indent.js";
import { popReason } from "./allocation.js";

/** What a compiler finds first is the cause; the rest mostly follows from it. */
const MESSAGES_SHOWN = 3;
const LINES_AROUND = 2;

/**
 * The pipeline that `create` makes of a module with this text, which is indented first.
 *
 * @param label the kernel's name
 * @throws DeviceError that names the kernel.
 */
export async function compile<Pipeline>(
  device: GPUDevice,
  label: string,
  text: string,
  create: (module: GPUShaderModule) => Promise<Pipeline>,
): Promise<Pipeline> {
  const code = indent(text);
  let module: GPUShaderModule | undefined;
  let refusal: Promise<string | undefined> | undefined;
  try {
    device.pushErrorScope("validation");
    try {
      module = device.createShaderModule({ label, code });
    } finally {
      refusal = popReason(device);
    }
    return await create(module);
  } catch (cause) {
    const refused = await refusal;
    // Lines can be cited of a text that the compiler refuses; other reasons are limits of the device, or that it is gone.
    const cited = module && refused !== undefined ? await cite(module, code) : undefined;
    const reason = cited ?? refused ?? (cause instanceof Error ? cause.message : textOf(cause));
    throw new DeviceError(`kernel ${label} did not compile: ${reason}`, { cause });
  }
}

/** The compiler's first messages with the lines that they are of; undefined where there are none. */
async function cite(module: GPUShaderModule, code: string): Promise<string | undefined> {
  const { messages } = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const errors = messages.filter(({ type }) => type === "error");
  if (errors.length === 0) return undefined;
  const lines = code.split("\n");
  const cited = errors.slice(0, MESSAGES_SHOWN).map((error) => citation(lines, error));
  return [...cited, ...(errors.length > MESSAGES_SHOWN ? [`(${String(errors.length)} errors)`] : [])].join("\n");
}

function citation(lines: readonly string[], { lineNum, message }: GPUCompilationMessage): string {
  // Firefox's and Deno's compiler draws the line below its message.
  const [said] = message.trim().split(/\n\s*┌/);
  if (lineNum === 0) return said;
  const first = Math.max(1, lineNum - LINES_AROUND);
  const shown = lines.slice(first - 1, lineNum + LINES_AROUND).map((line, i) => {
    const number = first + i;
    return `${number === lineNum ? ">" : " "} ${String(number).padStart(4)} | ${line}`;
  });
  return [`line ${String(lineNum)}: ${said}`, ...shown].join("\n");
}
