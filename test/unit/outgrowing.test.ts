/** The script of docs/outgrowing.md for PyTorch: its module has the names and shapes of the network whose weights it loads. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "webgpu-conv";
import { readSafetensors } from "webgpu-conv/io";
import { disposeModule, loadState, Random, saveState } from "webgpu-conv/nn";
import { expect, test } from "vitest";
import { glyphNetwork } from "../../examples/train/network.js";
import { ROOT } from "../support/packed.js";

const text = readFileSync(join(ROOT, "docs/outgrowing.md"), "utf8");

/** PyTorch's state_dict of a module that the script defines: names and shapes, in their order. */
function stateDict(script: string): Record<string, number[]> {
  const layers = [...script.matchAll(/self\.(\w+) = nn\.(Conv2d|Linear)\((\d+), (\d+)(?:, (\d+))?/g)];
  return Object.fromEntries(
    layers.flatMap(([, name, kind, inputs, outputs, kernel]) => {
      const [from, to, extent] = [inputs, outputs, kernel].map(Number);
      const weight = kind === "Linear" ? [to, from] : [to, from, extent, extent];
      return [
        [`${name}.weight`, weight],
        [`${name}.bias`, [to]],
      ];
    }),
  );
}

test("what PyTorch is told to load is what the network's file has, and comes back", async () => {
  const [, script] = /```python\n(.*?)```/s.exec(text) ?? [];
  using engine = await createEngine({ backend: "cpu" });
  const network = await glyphNetwork({ engine, random: new Random(1) });
  const { tensors } = await readSafetensors(await saveState(network));
  const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, [...shape]]));
  expect(shapes).toEqual(stateDict(script));
  const other = await glyphNetwork({ engine, random: new Random(2) });
  await loadState(other, tensors);
  expect(await saveState(other)).toEqual(await saveState(network));
  disposeModule(network);
  disposeModule(other);
});
