/**
 * `webgpu-conv/nn/node`: datasets of files, for Node.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { require, show, textOf } from "../../base/errors.js";
import { FileError } from "../../base/fileError.js";
import { optionKeys, requireOptions } from "../../base/optionKeys.js";
import { type Dataset, requireIndex, type SampleShape } from "./dataset.js";
import { type DecodedPicture, pictureValues, requireChannels } from "./pictures.js";

export type { Dataset } from "./dataset.js";
export type { DecodedPicture } from "./pictures.js";

/** How {@link folderDataset} reads. */
export interface FolderOptions {
  /**
   * Decodes a file, with whichever library; it may scale, too: all pictures must have one size. `decode` of fast-png will do for
   * pictures without a palette.
   */
  readonly decode: (bytes: Uint8Array) => DecodedPicture | Promise<DecodedPicture>;
  /** Gray (1), or red, green and blue (3, by default). */
  readonly channels?: 1 | 3 | undefined;
  /** Which files of a class's folder are pictures, by their names; all but hidden ones by default. */
  readonly filter?: ((name: string) => boolean) | undefined;
}
const FOLDER_KEYS = optionKeys<FolderOptions>({ decode: 1, channels: 1, filter: 1 });

/** Names in the order of their UTF-16 code units, which is the same everywhere. */
const sorted = (names: readonly string[]): string[] => [...names].sort((a, b) => (a < b ? -1 : Number(a > b)));

/**
 * A dataset of a folder with a folder for each class, as torchvision's ImageFolder has it: classes and files in the order of their
 * names. Files are read when their sample is asked for; the first one is read at once and tells the size. Links count as what
 * they lead to. Folders within a class's folder are not read.
 *
 * @throws FileError for a folder without classes or pictures, and a class without any. A sample rejects with one where its file
 *   cannot be read or decoded, or has another size
 */
export async function folderDataset(folder: string, options: FolderOptions): Promise<Dataset> {
  requireOptions(options, FOLDER_KEYS);
  const { decode, channels = 3, filter = () => true } = options;
  require(typeof filter === "function", () =>
    `filter is ${show(filter)}; expected a function from a name to a boolean`);
  require(typeof decode === "function", () =>
    `decode is ${show(decode)}; expected a function from bytes to { width, height, data }`);
  requireChannels(channels);
  const classes = sorted(await list(folder, (entry) => entry.isDirectory()));
  if (classes.length === 0) throw new FileError(folder, 0, "has no folders; expected one for each class");
  const files: { readonly path: string; readonly label: number }[] = [];
  for (const [label, name] of classes.entries()) {
    const within = join(folder, name);
    const names = (await list(within, (entry) => entry.isFile())).filter((file) => filter(file));
    if (names.length === 0) throw new FileError(within, 0, "has no pictures; expected at least one of each class");
    for (const file of sorted(names)) files.push({ path: join(within, file), label });
  }
  const read = async (path: string): Promise<{ readonly x: Float32Array; readonly shape: SampleShape }> => {
    try {
      return pictureValues(await decode(await readFile(path)), channels);
    } catch (cause) {
      throw new FileError(path, 0, `cannot be read as a picture: ${textOf(cause)}`, { cause });
    }
  };
  const { shape } = await read(files[0].path);
  return {
    size: files.length,
    shape,
    classes,
    async get(index) {
      requireIndex(index, files.length);
      const { path, label } = files[index];
      const picture = await read(path);
      if (String(picture.shape) !== String(shape)) {
        const [, height, width] = picture.shape;
        throw new FileError(
          path,
          0,
          `has ${String(width)} x ${String(height)} pixels; expected ${String(shape[2])} x ${String(shape[1])}, as ${files[0].path} has: decode may scale`,
        );
      }
      return { x: picture.x, label };
    },
  };
}

/** What kind of thing a name in a folder stands for. */
interface Kind {
  isDirectory(): boolean;
  isFile(): boolean;
}

/** Names in a folder of that kind, without those that are hidden. Links are followed. */
async function list(folder: string, isWanted: (entry: Kind) => boolean): Promise<string[]> {
  try {
    const entries = (await readdir(folder, { withFileTypes: true })).filter(({ name }) => !name.startsWith("."));
    const kinds = await Promise.all(
      entries.map(async (entry): Promise<Kind> => {
        return entry.isSymbolicLink() ? await stat(join(folder, entry.name)) : entry;
      }),
    );
    return entries.flatMap(({ name }, i) => (isWanted(kinds[i]) ? [name] : []));
  } catch (cause) {
    throw new FileError(folder, 0, `cannot be listed: ${textOf(cause)}`, { cause });
  }
}
