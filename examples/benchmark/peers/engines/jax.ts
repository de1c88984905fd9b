/** jax-js: channels first, as its convolution has it; every pass compiled by `jit`, gradients by `vjp`. */
import { blockUntilReady, defaultDevice, init, jit, lax, numpy as np, type Array as JaxArray, vjp } from "@jax-js/jax";
import { dependencies } from "../package.json";
import { type LayerCase, type PeerEngine, type PreparedPass, preparedPass } from "../engine.js";
import type { Pass } from "../layers.js";

export async function openJax(): Promise<PeerEngine> {
  await init("webgpu");
  defaultDevice("webgpu");
  return { name: "jax-js", version: dependencies["@jax-js/jax"], prepare };
}

async function prepare(layerCase: LayerCase, pass: Pass): Promise<PreparedPass> {
  const { problem } = layerCase;
  const x = array(layerCase.x, problem.inputShape);
  const w = array(layerCase.w, problem.weightShape);
  const dy = array(layerCase.dy, problem.outputShape);
  await blockUntilReady([x, w, dy]);
  const compiled = jit(passFunction(layerCase, pass));
  return preparedPass<JaxArray>({
    // A call consumes what it is given; `ref` is one more reference.
    enqueue: () => compiled(x.ref, w.ref, dy.ref),
    finish: async (results) => {
      await blockUntilReady([...results]);
    },
    read: async (result) => (await result.ref.data()) as Float32Array,
    release: (result) => result.dispose(),
    close: () => {
      compiled.dispose();
      for (const operand of [x, w, dy]) operand.dispose();
    },
  });
}

function array(values: Float32Array<ArrayBuffer>, shape: readonly number[]): JaxArray {
  return np.array(values, { shape: [...shape] });
}

/** Functions of (x, w, dy), each of which uses up its arguments. */
function passFunction({ layer }: LayerCase, pass: Pass): (x: JaxArray, w: JaxArray, dy: JaxArray) => JaxArray {
  const { stride, padding, dilation, groups } = layer.options;
  const conv = (x: JaxArray, w: JaxArray): JaxArray =>
    lax.convGeneralDilated(
      x,
      w,
      [stride, stride],
      [
        [padding, padding],
        [padding, padding],
      ],
      {
        rhsDilation: [dilation, dilation],
        featureGroupCount: groups,
      },
    );
  if (pass === "forward") {
    return (x, w, dy) => {
      dy.dispose();
      return conv(x, w);
    };
  }
  return (x, w, dy) => {
    const [y, pullBack] =
      pass === "inputGradient" ? vjp((v: JaxArray) => conv(v, w), [x]) : vjp((v: JaxArray) => conv(x, v), [w]);
    y.dispose();
    const [gradient] = pullBack(dy);
    pullBack.dispose();
    return gradient;
  };
}
