/** What adapters tell of themselves, for tests. */
export function adapterInfo(parts: { readonly [Field in keyof GPUAdapterInfo]?: unknown }): GPUAdapterInfo {
  const words = { vendor: "", architecture: "", device: "", description: "" };
  return { ...words, isFallbackAdapter: false, ...parts } as GPUAdapterInfo;
}
