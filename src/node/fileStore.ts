/** Tuned choices in a JSON file. */
import { readFile, rename, writeFile } from "node:fs/promises";
import type { TuningStore } from "../tuner/store.js";

/**
 * Keeps tuned choices in a JSON file, which may be shipped and shared. Written beside it and then renamed, so that a
 * reader never sees half of it.
 */
export function fileStore(path: string): TuningStore {
  return {
    load: async () => {
      try {
        return JSON.parse(await readFile(path, "utf8")) as unknown;
      } catch (error) {
        if ((error as { code?: string }).code === "ENOENT") return undefined;
        throw error;
      }
    },
    save: async (data) => {
      const written = `${path}.${String(process.pid)}.tmp`;
      await writeFile(written, `${JSON.stringify(data, undefined, 2)}\n`);
      await rename(written, path);
    },
  };
}
