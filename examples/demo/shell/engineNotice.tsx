/** What the visitor is told where there is no WebGPU, or no longer. */
import type { ComponentChild } from "preact";
import { Button } from "../controls/button.js";
import { Notice } from "./notice.js";
import type { Backend, EngineState } from "./useEngineLifecycle.js";

export function EngineNotice(props: {
  readonly state: EngineState;
  readonly backend: Backend;
  readonly restart: () => void;
  readonly changeBackend: (backend: Backend) => void;
}): ComponentChild {
  const { state, backend, restart, changeBackend } = props;
  const onCpu = (
    <Button kind="secondary" onPress={() => changeBackend("cpu")}>
      Go on with the CPU
    </Button>
  );
  if (state.status === "starting") return <p aria-busy="true">Looking for a device</p>;
  if (state.status === "missing") {
    const again = (
      <Button kind="secondary" onPress={restart}>
        Look again
      </Button>
    );
    if (state.what === "code") {
      return <Notice tone="error" title="The engine could not be loaded" text={state.reason} actions={again} />;
    }
    const actions = (
      <>
        {onCpu}
        {again}
      </>
    );
    // The buttons below ask for the CPU.
    const reason = state.reason.replace(/,? or ask for the CPU.*/i, "").replace(/\.?$/, ".");
    const text = `${reason} Every part but live video also runs on the CPU, more slowly.`;
    const { gpu } = navigator as { readonly gpu?: GPU };
    return (
      <Notice tone="error" title={gpu ? "No device for WebGPU" : "No WebGPU here"} text={text} actions={actions} />
    );
  }
  if (state.status === "lost") {
    const actions = (
      <>
        <Button onPress={restart}>Go on with a new device</Button>
        {onCpu}
      </>
    );
    const text = `The browser took the graphics device away (${state.reason.replace(/\.$/, "")}). Your settings are kept.`;
    return <Notice tone="error" title="The device was lost" text={text} actions={actions} />;
  }
  return backend === "cpu" ? (
    <p class="backend-line">
      Computed on the CPU, by the float64 reference.{" "}
      <Button kind="link" onPress={() => changeBackend("webgpu")}>
        Use WebGPU
      </Button>
    </p>
  ) : null;
}
