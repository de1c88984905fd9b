/** Keeps the maps drawn: once for a picture, frame after frame for the camera. */
import type { MutableRef } from "preact/hooks";
import { useEffect, useState } from "preact/hooks";
import { useEngine } from "../../shell/engineContext.js";
import { describeError } from "../../shell/useTask.js";
import { useRethrow } from "../../shell/useRethrow.js";
import { MapLayer } from "./drawMaps.js";
import type { Bank } from "./filters.js";
import { describeTime, Pace } from "./pace.js";
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

/** Draws, and says how fast. */
export function useMaps(
  bank: Bank,
  source: Source | undefined,
  canvases: MutableRef<(HTMLCanvasElement | null)[]>,
): string {
  const { engine, active } = useEngine();
  const rethrow = useRethrow();
  const [words, setWords] = useState("");
  useEffect(() => {
    if (!source || !active) return;
    let wanted = true;
    // What was said is of other filters, or of another source.
    setWords("");
    const isWanted = (): boolean => wanted;
    const say = (next: string): void => {
      if (wanted) setWords(next);
    };
    const work = async (): Promise<void> => {
      using layer = new MapLayer(engine, bank);
      const shown = canvases.current
        .slice(0, bank.names.length)
        .filter((canvas): canvas is HTMLCanvasElement => canvas !== null);
      const { description } = engine.adapter;
      if (source instanceof HTMLVideoElement) {
        const pace = new Pace();
        while (isWanted()) {
          pace.add(await layer.drawFrame(source, shown, isWanted), performance.now());
          say(pace.describe(description));
          await nextFrame();
        }
        return;
      }
      const drawn = await layer.draw(source, shown, isWanted);
      const between = async (): Promise<void> => {
        await nextFrame();
        if (!isWanted()) throw new Error("no longer wanted");
      };
      // A CPU took its time for it; the first run on a device compiles, and is too short for its clock.
      say(describeTime(engine.device && isWanted() ? await layer.time(source, between) : drawn, description));
    };
    work().catch((error: unknown) => rethrow(error, isWanted));
    return () => {
      wanted = false;
    };
  }, [engine, active, bank, source]);
  return words;
}

const nextFrame = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => resolve()));
