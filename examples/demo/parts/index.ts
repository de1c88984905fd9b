/** The parts of the page, in the order of the navigation. */
import { benchmark } from "./benchmark/part.js";
import { layer } from "./layer/part.js";
import { maps } from "./maps/part.js";
import type { Part } from "./part.js";
import { small } from "./small/part.js";

export const parts: readonly Part[] = [layer, maps, small, benchmark];
