/** Draws planes of tensors onto textures, without a copy to the host (shaders/render/draw_plane.wgsl). */
import kernel from "../../shaders/render/draw_plane.wgsl";
import type { DrawTarget, Planes } from "../backend/draw.js";
import { ArgumentError, require, show, textOf } from "../base/errors.js";
import { pixelConstants, pixelUniforms } from "../solvers/shared/pixels.js";
import type { GpuStorage } from "./device/storage.js";
import { loadKernel } from "../kernels/kernel.js";
import { type ConstantValues, specialize } from "../kernels/specialize.js";
import { packUniforms } from "../kernels/uniforms.js";
import { compile } from "./pipelines/compile.js";

interface RenderEntry {
  pipeline: GPURenderPipeline | undefined;
  readonly ready: Promise<GPURenderPipeline>;
}

/** What a target is cleared to where all of it is drawn. */
const BLACK = { r: 0, g: 0, b: 0, a: 1 };

const CONFIGURED = "and configure({ device: engine.device, format }) called on it";

/** A canvas' texture. Throws unless the canvas is configured. */
function currentTexture(context: GPUCanvasContext): GPUTexture {
  try {
    return context.getCurrentTexture();
  } catch (cause) {
    throw new ArgumentError(`the canvas gives no texture; expected its context ${CONFIGURED}: ${textOf(cause)}`, {
      cause,
    });
  }
}

export class Painter {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, RenderEntry>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** The texture to draw on. A canvas' current texture can be used only until the page's task ends. */
  textureOf(target: DrawTarget): GPUTexture {
    const given: unknown = target;
    const { getCurrentTexture, createView, canvas, getContext } = (given ?? {}) as Partial<GPUCanvasContext> &
      Partial<GPUTexture> & { readonly getContext?: unknown };
    const isContext = typeof getCurrentTexture === "function";
    require(isContext || typeof createView === "function", () => {
      const isCanvas = canvas !== undefined || typeof getContext === "function";
      const remedy = isCanvas ? `: canvas.getContext("webgpu"), ${CONFIGURED}` : "";
      return `target is ${show(target)}; expected a GPUCanvasContext or a GPUTexture${remedy}`;
    });
    const texture = isContext ? currentTexture(target as GPUCanvasContext) : (target as GPUTexture);
    const { usage } = texture;
    require(typeof usage === "number" && (usage & GPUTextureUsage.RENDER_ATTACHMENT) !== 0, () => {
      return `the texture's usage is ${show(usage)}; expected it to have GPUTextureUsage.RENDER_ATTACHMENT = ${String(GPUTextureUsage.RENDER_ATTACHMENT)}`;
    });
    return texture;
  }

  /** The pipeline for a storage and a target. It is ready at once where the same kind was drawn before. */
  entryFor(storage: GpuStorage, planes: Planes, target: DrawTarget): RenderEntry {
    const { format } = this.textureOf(target);
    const constants = { ...pixelConstants(storage), HALF: storage.dtype === "float16", DIVERGING: planes.diverging };
    const key = `${format} ${JSON.stringify(constants)}`;
    const known = this.#pipelines.get(key);
    if (known) return known;
    const ready = this.#compile(constants, format).then(
      (pipeline) => (entry.pipeline = pipeline),
      (error: unknown) => {
        this.#pipelines.delete(key);
        throw error;
      },
    );
    // The caller may have given up by then.
    ready.catch(() => undefined);
    const entry: RenderEntry = { pipeline: undefined, ready };
    this.#pipelines.set(key, entry);
    return entry;
  }

  async #compile(constants: ConstantValues, format: GPUTextureFormat): Promise<GPURenderPipeline> {
    const code = specialize(await loadKernel(kernel), constants);
    return await compile(this.#device, kernel.name, code, (module) =>
      this.#device.createRenderPipelineAsync({
        label: kernel.name,
        layout: "auto",
        vertex: { module, entryPoint: "corner" },
        fragment: { module, entryPoint: "paint", targets: [{ format }] },
      }),
    );
  }

  /** Submits the drawing. The work that computes the storage's values must be submitted before. */
  paint(pipeline: GPURenderPipeline, storage: GpuStorage, planes: Planes, texture: GPUTexture): void {
    const device = this.#device;
    const { size, elements, range, viewport } = planes;
    const [x, y, width, height] = viewport ?? [0, 0, texture.width, texture.height];
    require(x + width <= texture.width && y + height <= texture.height, () => {
      return `viewport is ${show(viewport)}; expected it within the target's ${String(texture.width)} x ${String(texture.height)} pixels`;
    });
    const uniforms = { size, corner: [x, y], viewport: [width, height], elements, range, ...pixelUniforms(storage) };
    const bytes = packUniforms(kernel, uniforms);
    const usage = GPUBufferUsage.UNIFORM;
    const uniform = device.createBuffer({ label: kernel.name, size: bytes.byteLength, usage, mappedAtCreation: true });
    new Uint8Array(uniform.getMappedRange()).set(new Uint8Array(bytes));
    uniform.unmap();
    const { buffer, offset } = storage.pooled;
    const bindGroup = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: uniform } },
        { binding: 1, resource: { buffer, offset, size: storage.bytes } },
      ],
    });
    const encoder = device.createCommandEncoder({ label: kernel.name });
    const loadOp = viewport ? "load" : "clear";
    const attachment = { view: texture.createView(), loadOp, clearValue: BLACK, storeOp: "store" } as const;
    const pass = encoder.beginRenderPass({ colorAttachments: [attachment] });
    pass.setViewport(x, y, width, height, 0, 1);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.draw(3);
    pass.end();
    device.queue.submit([encoder.finish()]);
    uniform.destroy();
  }
}
