/** Keeps the maps drawn: once for a picture, frame after frame for the camera. */
import type { MutableRef } from "preact/hooks";
import { useEffect, useState } from "preact/hooks";
import { useEngine } from "../../shell/engineContext.js";
import { describeError } from "../../shell/useTask.js";
import { useRethrow } from "../../shell/useRethrow.js";
import { MapLayer } from "./drawMaps.js";
import type { Bank } from "./filters.js";
import { builtInPicture, openCamera, type Source, stopCamera } from "./pictures.js";

/** What the maps are made of; undefined until it is there. The camera is open only while it is used and looked at. */
export function useSource(
  camera: boolean,
  picture: ImageData | undefined,
  onProblem: (problem: string) => void,
): Source | undefined {
  const { active } = useEngine();
  const rethrow = useRethrow();
  const [builtIn, setBuiltIn] = useState<ImageData>();
  const [video, setVideo] = useState<HTMLVideoElement>();
  useEffect(() => void builtInPicture().then(setBuiltIn, rethrow), []);
  useEffect(() => {
    if (!camera || !active) return;
    let left = false;
    const opening = openCamera();
    opening.then(
      (opened) => {
        if (!left) setVideo(opened);
      },
      (error: unknown) => {
        if (!left) onProblem(`The camera cannot be used: ${describeError(error)}`);
      },
    );
    return () => {
      left = true;
      setVideo(undefined);
      opening.then(stopCamera, () => undefined);
    };
  }, [camera, active]);
  return (camera ? video : undefined) ?? picture ?? builtIn;
}

/** Frames that the rate is taken over. */
const FRAMES = 20;

/** Draws, and says how fast. */
export function useMaps(
  bank: Bank,
  source: Source | undefined,
  canvases: MutableRef<(HTMLCanvasElement | null)[]>,
): string {
  const { engine, active } = useEngine();
  const rethrow = useRethrow();
  const [pace, setPace] = useState("");
  useEffect(() => {
    if (!source || !active) return;
    let stopped = false;
    const work = async (): Promise<void> => {
      using layer = new MapLayer(engine, bank);
      const shown = canvases.current
        .slice(0, bank.names.length)
        .filter((canvas): canvas is HTMLCanvasElement => canvas !== null);
      const ends: number[] = [];
      do {
        const milliseconds = await layer.draw(source, shown);
        ends.push(performance.now());
        if (ends.length > FRAMES) ends.shift();
        const rate = ((ends.length - 1) * 1000) / (ends[ends.length - 1] - ends[0]);
        const frames =
          source instanceof HTMLVideoElement && ends.length > 1 ? `${rate.toFixed(1)} frames a second, ` : "";
        if (!isStopped())
          setPace(`${frames}${milliseconds.toFixed(2)} ms for the layer on ${engine.adapter.description}`);
        await nextFrame();
        // A picture is drawn twice: the first time compiles, and is not worth telling.
      } while (!isStopped() && (source instanceof HTMLVideoElement || ends.length < 2));
    };
    const isStopped = (): boolean => stopped;
    work().catch((error: unknown) => {
      if (!isStopped()) rethrow(error);
    });
    return () => {
      stopped = true;
    };
  }, [engine, active, bank, source]);
  return pace;
}

const nextFrame = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => resolve()));
