/** The part of cli-progress that the benchmark uses; the package carries no types. */
declare module "cli-progress" {
  export interface BarOptions {
    readonly format: string;
    readonly stream: NodeJS.WritableStream;
    readonly hideCursor: boolean;
    readonly clearOnComplete: boolean;
  }

  export class SingleBar {
    constructor(options: BarOptions);
    start(total: number, value: number, payload: Readonly<Record<string, string>>): void;
    update(value: number, payload: Readonly<Record<string, string>>): void;
    stop(): void;
  }

  const cliProgress: { readonly SingleBar: typeof SingleBar };
  export default cliProgress;
}
