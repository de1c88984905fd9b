/** What published networks are run on: pictures of any size, by repeating one. */
import { prepareInput } from "../../../detect/input.js";
import { drawTextPicture } from "../../../detect/textPicture.js";
import { type Picture, readPicture } from "../../../filters/pictureFile.js";
import type { Published } from "./published.js";

const WHITE = 255;

/** @param find a package's file, by its path in node_modules */
export async function inputOf(
  { picture, input }: Published,
  find: (path: string) => string,
): Promise<Float32Array<ArrayBuffer>> {
  if (picture === undefined) return prepareInput(repeated(drawTextPicture().picture, input[3], input[2])).values;
  const [, height, width, channels] = input;
  const { planes } = repeated(await readPicture(find(picture)), width, height);
  const values = new Float32Array(channels * height * width);
  // Red, green and blue of each pixel side by side, from 0 to 255.
  for (let i = 0; i < values.length; i++) {
    values[i] = WHITE * planes[(i % channels) * height * width + Math.floor(i / channels)];
  }
  return values;
}

/** The part of it from its corner, or itself side by side until it fills these extents. */
function repeated(picture: Picture, width: number, height: number): Picture {
  const planes = new Float32Array(3 * width * height);
  let to = 0;
  for (let plane = 0; plane < 3; plane++) {
    for (let y = 0; y < height; y++) {
      const row = (plane * picture.height + (y % picture.height)) * picture.width;
      for (let x = 0; x < width; x++) planes[to++] = picture.planes[row + (x % picture.width)];
    }
  }
  return { width, height, planes };
}
