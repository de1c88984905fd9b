/** How many kernels a device starts. */

/** Counts the kernels that the device is told to start until `stop` is called. */
export function countKernels(device: GPUDevice): { readonly started: () => number; readonly stop: () => void } {
  let count = 0;
  const original = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = original(descriptor);
    const begin = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (passDescriptor) => {
      const pass = begin(passDescriptor);
      const dispatch = pass.dispatchWorkgroups.bind(pass);
      pass.dispatchWorkgroups = (...workgroups) => {
        count++;
        dispatch(...workgroups);
      };
      return pass;
    };
    return encoder;
  };
  return { started: () => count, stop: () => void (device.createCommandEncoder = original) };
}
