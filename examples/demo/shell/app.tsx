/** The page: navigation, the engine, and the part that the address names. */
import type { ComponentChild } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { EngineContext } from "./engineContext.js";
import { EngineNotice } from "./engineNotice.js";
import { Footer, Header } from "./frame.js";
import type { Part } from "../parts/part.js";
import { PartView } from "./partView.js";
import { useEngineLifecycle } from "./useEngineLifecycle.js";
import { useLink } from "./useLink.js";
import { useVisible } from "./useVisible.js";

export function App({ parts }: { readonly parts: readonly Part[] }): ComponentChild {
  const link = useLink(parts);
  const { part, settings, backend } = link;
  const { state, restart, generation } = useEngineLifecycle(backend);
  const visible = useVisible();
  const heading = useHeadingOf(part);
  const engine = "engine" in state ? state.engine : undefined;
  const lost = state.status === "lost";

  return (
    <>
      <Header parts={parts} current={part} hrefOf={link.hrefOf} toContent={() => heading.current?.focus()} />
      <main class="container">
        <h1 ref={heading} tabIndex={-1}>
          {part.title}
        </h1>
        <p class="summary">{part.summary}</p>
        <EngineNotice state={state} backend={backend} restart={restart} changeBackend={link.changeBackend} />
        {engine ? (
          // What was last computed stays to be seen when the device is gone.
          <div inert={lost} class={lost ? "lost" : undefined}>
            <EngineContext.Provider value={{ engine, gpu: engine.device !== undefined, active: visible && !lost }}>
              <PartView
                key={`${part.id} ${String(generation)}`}
                part={part}
                settings={settings}
                change={link.change}
                share={link.share}
              />
            </EngineContext.Provider>
          </div>
        ) : null}
      </main>
      <Footer engine={lost ? undefined : engine} share={link.share} />
    </>
  );
}

/** The part's heading, which takes the focus when the visitor goes to another part. */
function useHeadingOf(part: Part): { readonly current: HTMLHeadingElement | null } {
  const heading = useRef<HTMLHeadingElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${part.title} · webgpu-conv`;
    if (!first.current) heading.current?.focus();
    first.current = false;
  }, [part]);
  return heading;
}
