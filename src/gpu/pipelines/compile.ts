/** Compiles kernels. An error cites the compiler's messages and their lines. */
import { DeviceError, textOf } from "../../base/errors.js";
import { indent } from "../../kernels/indent.js";
import { popReason } from "../device/allocation.js";

/** The device does not compile a kernel. */
export class CompileError extends DeviceError {}

/**
 * The pipeline that `create` makes of a module with this text, which is indented first.
 *
 * @param label the kernel's name
 * @throws CompileError that names the kernel.
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
    // Lines are cited where the compiler refuses the text. Other reasons are limits of the device, or its loss.
    const cited = module && refused !== undefined ? await citationOf(module, code) : undefined;
    const reason = cited ?? refused ?? (cause instanceof Error ? cause.message : textOf(cause));
    throw new CompileError(`kernel ${label} did not compile: ${reason}`, { cause });
  }
}

/** Loads what cites. Where that fails, the device's own message is the reason. */
async function citationOf(module: GPUShaderModule, code: string): Promise<string | undefined> {
  const loaded = await import("./cite.js").catch(() => undefined);
  return await loaded?.cite(module, code);
}
