/** The GPUs whose compilers the report asks. */

export interface Model {
  readonly name: string;
  readonly words: string;
}

export const MODELS: readonly Model[] = [
  { name: "navi21", words: "AMD RDNA2, Radeon RX 6900" },
  { name: "navi31", words: "AMD RDNA3, Radeon RX 7900" },
  { name: "renoir", words: "AMD GCN5, of Ryzen 4000" },
  { name: "skl", words: "Intel Gen9, HD 530" },
  { name: "tgl", words: "Intel Xe-LP, Iris Xe" },
  { name: "dg2", words: "Intel Arc A770" },
  { name: "bmg", words: "Intel Xe2, Arc B580" },
];

/** Threads that 28 multiprocessors of NVIDIA's hold, 1,536 each: a GeForce RTX 3060. */
export const THREADS_OF_28 = 28 * 1536;

export const wordsOf = (name: string): string => MODELS.find((model) => model.name === name)?.words ?? name;
