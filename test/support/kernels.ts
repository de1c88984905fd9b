/** Every kernel that computes, with its text. */
import { type Kernel, type LoadedKernel, loadKernel } from "../../src/kernels/kernel.js";

const KERNELS = Object.values(
  import.meta.glob<Kernel>(["../../shaders/**/*.wgsl", "!**/common/**", "!**/render/**"], {
    eager: true,
    import: "default",
  }),
);

export const LOADED_KERNELS: readonly LoadedKernel[] = await Promise.all(KERNELS.map((kernel) => loadKernel(kernel)));

/** The kernel with its text. */
export function loadedKernel({ name }: Pick<Kernel, "name">): LoadedKernel {
  const loaded = LOADED_KERNELS.find((kernel) => kernel.name === name);
  if (!loaded) throw new Error(`there is no kernel ${name}`);
  return loaded;
}

/** The kernel under another name, with another text. */
export const changedKernel = (kernel: Kernel, name: string, code: string): Kernel => ({
  ...kernel,
  name,
  load: () => Promise.resolve({ default: code }),
});
