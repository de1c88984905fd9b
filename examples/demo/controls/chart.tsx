/** A chart by uPlot, in the page's colours and as wide as its box. What it shows must be there in words or a table too. */
import "uplot/dist/uPlot.min.css";
import "./chart.css";
import type { ComponentChild } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type UPlot from "uplot";

export interface ChartContent {
  readonly data: UPlot.AlignedData;
  /** @param colour the value of a custom property of the page, such as "--input" */
  readonly options: (
    colour: (property: string) => string,
    paths: typeof UPlot.paths,
  ) => Omit<UPlot.Options, "width" | "height">;
}

export function Chart({
  content,
  height = 220,
}: {
  /** Keep it from drawing to drawing: another one makes another chart. */
  readonly content: ChartContent;
  /** In pixels, without the legend. */
  readonly height?: number;
}): ComponentChild {
  const box = useRef<HTMLDivElement>(null);
  const scheme = useColourScheme();
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const left = new AbortController();
    // uPlot throws, once loaded, in a browser whose language is no valid tag.
    import("uplot").then(
      ({ default: Charts }) => {
        if (left.signal.aborted) return;
        const style = getComputedStyle(element);
        const options = content.options((property) => style.getPropertyValue(property), Charts.paths);
        const chart = new Charts({ width: element.clientWidth, height, ...options }, content.data, element);
        holdChart(chart, element, left.signal);
      },
      (error: unknown) => console.warn("The chart is left out.", error),
    );
    return () => left.abort();
  }, [content, height, scheme]);
  return <div ref={box} class="chart" aria-hidden="true" />;
}

/** Keeps the chart as wide as its box, until the signal. */
function holdChart(chart: UPlot, element: HTMLElement, signal: AbortSignal): void {
  const observer = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: chart.height }));
  observer.observe(element);
  signal.addEventListener("abort", () => {
    observer.disconnect();
    chart.destroy();
  });
}

/** Changes when the visitor's colours do. */
function useColourScheme(): boolean {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const look = (): void => setDark(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return dark;
}
