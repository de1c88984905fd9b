/**
 * A ResNet of bottlenecks (He et al., "Deep residual learning for image recognition", 2016, figure 5): a 1x1 layer makes channels few,
 * the 3x3 layer works on those, another 1x1 layer makes them many again. What came in is added, through a 1x1 layer where its shape
 * is another one.
 */
import { convNorm, defineModule, layers, type Module } from "webgpu-conv/nn";

/** Channels of a block's result for one of its 3x3 layer. */
const EXPANSION = 4;

export function residualNetwork(init: layers.Init, classes: number): Module {
  return layers.sequential({
    conv1: layers.conv2d(init, 1, 8, { kernel: 3, padding: 1, bias: false }),
    bn1: layers.batchNorm(init, 8, { activation: "relu" }),
    layer1: layers.sequential([bottleneck(init, 8, 4, 2), bottleneck(init, 16, 4, 1)]),
    layer2: layers.sequential([bottleneck(init, 16, 8, 2), bottleneck(init, 32, 8, 1)]),
    avgpool: layers.globalPool(),
    fc: layers.linear(init, 32, classes),
  });
}

/** Names are torchvision's. */
function bottleneck(init: layers.Init, inputs: number, width: number, stride: number): Module {
  const outputs = EXPANSION * width;
  const conv1 = layers.conv2d(init, inputs, width, { kernel: 1, bias: false });
  const bn1 = layers.batchNorm(init, width, { activation: "relu" });
  const conv2 = layers.conv2d(init, width, width, { kernel: 3, stride, padding: 1, bias: false });
  const bn2 = layers.batchNorm(init, width, { activation: "relu" });
  const conv3 = layers.conv2d(init, width, outputs, { kernel: 1, bias: false });
  const bn3 = layers.batchNorm(init, outputs);
  const downsample =
    stride === 1 && inputs === outputs
      ? undefined
      : layers.sequential([
          layers.conv2d(init, inputs, outputs, { kernel: 1, stride, bias: false }),
          layers.batchNorm(init, outputs),
        ]);
  return defineModule({
    kind: `bottleneck, width ${String(width)}`,
    children: { conv1, bn1, conv2, bn2, conv3, bn3, ...(downsample && { downsample }) },
    forward(x) {
      const inner = convNorm(conv2, bn2, convNorm(conv1, bn1, x));
      return convNorm(conv3, bn3, inner, { residual: downsample ? downsample.forward(x) : x, activation: "relu" });
    },
  });
}
