/** Stands for what a caller without types may pass. */
export const wrong = (value: unknown): never => value as never;
