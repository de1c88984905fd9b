/**
 * `webgpu-conv/nn/page`: networks from files, for pages, with no more code than they need. An entry of its own: where others import it,
 * pages that train would carry what it loads late.
 */
export type { LoadedModel, LoadModelOptions } from "./model.js";
export { openModel } from "./openModel.js";
