/** Photographs or a network that the example cannot do with; the message says why. */
export class MaterialError extends Error {
  override readonly name = "MaterialError";
}
