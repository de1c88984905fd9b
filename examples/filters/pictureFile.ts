/** PNG files to planes of floats, and back. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { decode, type DecodedPng, encode, hasPngSignature, type PngDataArray } from "fast-png";

/** What went wrong with a file or folder that the user named. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

/** A picture as a `[3, height, width]` tensor, red, green and blue from 0 to 1, as encoded (no gamma is undone). */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly planes: Float32Array<ArrayBuffer>;
}

/** Reads a PNG of any kind: 1 to 16 bits, grey, RGB, palette; transparent parts are laid over white. */
export async function readPicture(path: string): Promise<Picture> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new PictureError(`cannot read ${path}: ${reasonOf(cause)}`, { cause });
  });
  if (!hasPngSignature(bytes))
    throw new PictureError(`${path} is not a PNG file: it does not begin with PNG's signature`);
  let png: DecodedPng;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PictureError(`${path} is a damaged PNG, or of a kind that the decoder does not know: ${why}`, { cause });
  }
  return toPicture(png);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EEXIST: "it is a file, not a folder",
  ENOTDIR: "a part of the path is a file, not a folder",
  EACCES: "permission denied",
};

function reasonOf(cause: unknown): string {
  const { code } = cause as NodeJS.ErrnoException;
  return code === undefined ? String(cause) : (REASONS[code] ?? code);
}

/** Makes the folder that results go to, with those above it. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw new PictureError(`cannot make the folder ${path}: ${reasonOf(cause)}`, { cause });
  });
}

export async function writePicture(path: string, bitmap: Bitmap): Promise<void> {
  await writeFile(path, encodePng(bitmap)).catch((cause: unknown) => {
    throw new PictureError(`cannot write ${path}: ${reasonOf(cause)}`, { cause });
  });
}

/** Lays a decoded PNG out in planes. */
export function toPicture(png: DecodedPng): Picture {
  const { width, height } = png;
  const pixels = width * height;
  const colourAt = colourReader(png);
  const planes = new Float32Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    const [red, green, blue, alpha] = colourAt(i);
    [red, green, blue].forEach((value, plane) => (planes[plane * pixels + i] = value * alpha + (1 - alpha)));
  }
  return { width, height, planes };
}

type Colour = readonly [red: number, green: number, blue: number, alpha: number];

/** Gives the colour of a pixel by its number, each component from 0 to 1. */
function colourReader(png: DecodedPng): (pixel: number) => Colour {
  const { channels, depth, palette, transparency } = png;
  const samples = unpackSamples(png);
  if (palette) {
    return (pixel) => {
      const entry = palette.at(samples[pixel]);
      if (!entry)
        throw new PictureError(
          `pixel ${String(pixel)} names colour ${String(samples[pixel])}; the palette has ${String(palette.length)}`,
        );
      const [red, green, blue, alpha = 255] = entry;
      return [red / 255, green / 255, blue / 255, alpha / 255];
    };
  }
  const white = 2 ** depth - 1;
  const hasAlpha = channels === 2 || channels === 4;
  const isGrey = channels <= 2;
  return (pixel) => {
    const first = pixel * channels;
    const colour = isGrey ? [first, first, first] : [first, first + 1, first + 2];
    const [red, green, blue] = colour.map((i) => samples[i]);
    const isKey = transparency !== undefined && [red, green, blue].every((v, i) => v === transparency[isGrey ? 0 : i]);
    const alpha = hasAlpha ? samples[first + channels - 1] / white : isKey ? 0 : 1;
    return [red / white, green / white, blue / white, alpha];
  };
}

/** One array element a sample: fewer than 8 bits come packed, each row starting on a byte. */
function unpackSamples({ data, depth, width, height, channels }: DecodedPng): PngDataArray {
  if (depth >= 8) return data;
  const perByte = 8 / depth;
  const rowBytes = Math.ceil((width * channels) / perByte);
  const samples = new Uint8Array(width * height * channels);
  for (let i = 0; i < samples.length; i++) {
    const row = Math.floor(i / (width * channels));
    const column = i % (width * channels);
    const byte = data[row * rowBytes + Math.floor(column / perByte)];
    samples[i] = (byte >> (8 - depth * ((column % perByte) + 1))) & (2 ** depth - 1);
  }
  return samples;
}

/** The picture `factor` times smaller: each pixel is the mean of `factor` x `factor`; a partial rim is dropped. */
export function shrink({ width, height, planes }: Picture, factor: number): Picture {
  const small = { width: Math.max(1, Math.floor(width / factor)), height: Math.max(1, Math.floor(height / factor)) };
  const [across, down] = [Math.min(factor, width), Math.min(factor, height)];
  const shrunk = new Float32Array(3 * small.width * small.height);
  for (let i = 0; i < shrunk.length; i++) {
    const column = i % small.width;
    const row = Math.floor(i / small.width) % small.height;
    const plane = Math.floor(i / (small.width * small.height));
    let sum = 0;
    for (let y = 0; y < down; y++) {
      const start = (plane * height + row * factor + y) * width + column * factor;
      for (let x = 0; x < across; x++) sum += planes[start + x];
    }
    shrunk[i] = sum / (across * down);
  }
  return { ...small, planes: shrunk };
}

/** 8-bit samples, pixel by pixel: 1 channel is grey, 3 are RGB. */
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** The picture in 8 bits. */
export function toBitmap({ width, height, planes }: Picture): Bitmap {
  const pixels = width * height;
  const data = Uint8Array.from({ length: 3 * pixels }, (_, i) => {
    return Math.round(255 * planes[(i % 3) * pixels + Math.floor(i / 3)]);
  });
  return { width, height, channels: 3, data };
}

/** Pixels from which on a file is written quickly rather than small. */
const LARGE = 2 ** 21;

export function encodePng({ width, height, channels, data }: Bitmap): Uint8Array {
  const level = width * height < LARGE ? 9 : 1;
  return encode({ width, height, channels, depth: 8, data }, { zlib: { level } });
}
