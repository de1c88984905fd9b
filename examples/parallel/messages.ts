/** What processes tell one another. */
export interface FromWorker {
  /** What a step computed; absent in the last message. */
  readonly values?: Float32Array<ArrayBuffer>;
  /** Of each step, and the parameters' values in the end. */
  readonly losses?: readonly number[];
  readonly parameters?: Float32Array;
}

/** What all workers computed in a step, by rank. */
export interface FromMain {
  readonly all: readonly Float32Array[];
}
