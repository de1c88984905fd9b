/** Paints the example's own picture again: `npx tsx examples/filters/picture.ts`. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodePng } from "./pictureFile.js";
import { paintScene } from "./scene.js";

const file = join(import.meta.dirname, "picture.png");
const png = encodePng(paintScene());
await writeFile(file, png);
console.log(`wrote ${file}, ${png.length.toLocaleString("en")} bytes`);
