/** A device that notes by what names things are made on it. */
import { replacing } from "./failingDevice.js";

export interface LabelDevice {
  /** To be handed to an engine in the device's place. */
  readonly device: GPUDevice;
  readonly pipelines: string[];
  readonly bindGroups: string[];
  /** Compute passes; "" for one without a name. */
  readonly passes: string[];
  /** Debug groups, and what is dispatched in them: as "a group: 2 dispatches". */
  readonly groups: string[];
  /** Dispatches in no group. */
  readonly ungrouped: () => number;
  /** By their names now. */
  readonly buffers: () => string[];
}

/** Deno 2.9 takes a label that is set later, and forgets it: then the object itself keeps it. */
function keepLabel(buffer: GPUBuffer): void {
  const { label } = buffer;
  buffer.label = "kept";
  const isKept = buffer.label === "kept";
  buffer.label = label;
  if (!isKept) Object.defineProperty(buffer, "label", { value: label, writable: true });
}

export function labelDevice(real: GPUDevice): LabelDevice {
  const pipelines: string[] = [];
  const bindGroups: string[] = [];
  const passes: string[] = [];
  const groups: string[] = [];
  const buffers: GPUBuffer[] = [];
  let ungrouped = 0;
  const wrapPass = (pass: GPUComputePassEncoder): GPUComputePassEncoder => {
    let open: string | undefined;
    let dispatches = 0;
    return replacing(pass, {
      pushDebugGroup: (label: string): void => {
        pass.pushDebugGroup(label);
        open = label;
        dispatches = 0;
      },
      popDebugGroup: (): void => {
        pass.popDebugGroup();
        groups.push(`${open ?? ""}: ${String(dispatches)} dispatches`);
        open = undefined;
      },
      dispatchWorkgroups: (x: number, y: number, z: number): void => {
        pass.dispatchWorkgroups(x, y, z);
        if (open === undefined) ungrouped++;
        else dispatches++;
      },
    });
  };
  const device = replacing(real, {
    createBuffer: (descriptor: GPUBufferDescriptor): GPUBuffer => {
      const buffer = real.createBuffer(descriptor);
      keepLabel(buffer);
      buffers.push(buffer);
      return buffer;
    },
    createComputePipelineAsync: (descriptor: GPUComputePipelineDescriptor): Promise<GPUComputePipeline> => {
      pipelines.push(descriptor.label ?? "");
      return real.createComputePipelineAsync(descriptor);
    },
    createBindGroup: (descriptor: GPUBindGroupDescriptor): GPUBindGroup => {
      bindGroups.push(descriptor.label ?? "");
      return real.createBindGroup(descriptor);
    },
    createCommandEncoder: (descriptor?: GPUCommandEncoderDescriptor): GPUCommandEncoder => {
      const encoder = real.createCommandEncoder(descriptor);
      const beginComputePass = (pass?: GPUComputePassDescriptor): GPUComputePassEncoder => {
        passes.push(pass?.label ?? "");
        return wrapPass(encoder.beginComputePass(pass));
      };
      return replacing(encoder, { beginComputePass });
    },
  });
  return {
    device,
    pipelines,
    bindGroups,
    passes,
    groups,
    ungrouped: () => ungrouped,
    buffers: () => buffers.map(({ label }) => label),
  };
}
