/** Tuned choices in a JSON file. */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { LimitError, require, show } from "../base/errors.js";
import { oneAtATime } from "../tuner/queue.js";
import type { TuningData, TuningStore } from "../tuner/store.js";

/** More than as many entries as are read take, at their longest. */
const MOST_BYTES = 2 ** 27;

/**
 * Keeps tuned choices in a JSON file, which may be shipped and shared. Each save writes a file of its own beside it, which
 * then takes its place: readers never see half of it, and processes that save at once leave what one of them saved.
 * Of saves that wait for another one only the newest is written, for all of them.
 */
export function fileStore(path: string): TuningStore {
  require(typeof path === "string" && path !== "", () => `path is ${show(path)}; expected a file's path`);
  const replace = oneAtATime(async (text: string) => {
    const written = `${path}.${randomUUID()}.tmp`;
    try {
      await writeFile(written, text);
      await rename(written, path);
    } catch (error) {
      await rm(written, { force: true });
      throw error;
    }
  });
  return {
    load: async () => {
      try {
        const { size } = await stat(path);
        if (size > MOST_BYTES) {
          throw new LimitError(`${path} has ${String(size)} bytes; expected at most ${String(MOST_BYTES)}`);
        }
        return JSON.parse(await readFile(path, "utf8")) as unknown;
      } catch (error) {
        if ((error as { code?: string }).code === "ENOENT") return undefined;
        throw error;
      }
    },
    save: async (data: TuningData) => {
      await replace(`${JSON.stringify(data, undefined, 2)}\n`);
    },
  };
}
