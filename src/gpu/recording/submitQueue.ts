/** Batches on their way to the device. They are submitted in the order of recording, whichever becomes ready first. */
import type { Wait } from "../../backend/wait.js";
import type { DeviceError } from "../../base/errors.js";
import type { Batch } from "./batch.js";
import type { BufferPool } from "../device/bufferPool.js";
import { disposedError } from "../device/deviceErrors.js";
import { callOff, type Read } from "./cancel.js";
import type { Pace } from "./pace.js";
import { type BatchTiming, millisecondsOf, type Segment, segmentsOf } from "./segments.js";
import { Submissions } from "./submissions.js";

/** The part of the longest submission from which on a batch waits for those before it: whoever waits for it can call it off. */
const PACED_SHARE = 0.25;
/** Batches that may wait for room. A host that records on without waiting would hold ever more memory by them. */
const MOST_WAITING = 8;

/** A batch that is not submitted yet, or not all of it. */
interface Queued {
  readonly batch: Batch;
  readonly timing: BatchTiming | undefined;
  /** What is left of it. */
  readonly segments: Segment[];
  readonly isPaced: boolean;
  /** Whether its kernels and buffers are there, or failed; undefined before somebody waits for them. */
  isReady: boolean | undefined;
  /** Resolves, never rejects, once it is submitted or given up. */
  readonly submitted: Promise<void>;
  readonly resolve: () => void;
}

/** A call that waits for all that was recorded by now; of a read, for what it needs. */
export interface Waiting {
  readonly wait: Wait;
  readonly read?: Read;
}

export class SubmitQueue {
  readonly submissions: Submissions;
  readonly #pool: BufferPool;
  readonly #pace: Pace;
  readonly #queue: Queued[] = [];
  #disposed = false;

  /** @param onFailure told of operations and submissions that fail */
  constructor(device: GPUDevice, pool: BufferPool, pace: Pace, onFailure: (error: DeviceError) => void) {
    this.#pool = pool;
    this.#pace = pace;
    this.submissions = new Submissions(device, onFailure);
    pace.onRoom = () => this.#submitReady();
  }

  /** Batches that are not submitted yet, or not all of them. */
  get queued(): readonly Batch[] {
    return this.#queue.map(({ batch }) => batch);
  }

  /** Resolves, never rejects, once all batches are submitted; undefined where none waits. */
  get waiting(): Promise<void> | undefined {
    return this.#queue.at(-1)?.submitted;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Submits a batch after those before it, at once where all is ready and the device has room for more work. */
  push(batch: Batch, timing: BatchTiming | undefined, waiting?: Waiting): void {
    const segments = segmentsOf(batch, timing, this.#pace.mostMilliseconds);
    const milliseconds = segments.reduce((sum, segment) => sum + segment.milliseconds, 0);
    const isPaced = milliseconds > PACED_SHARE * this.#pace.mostMilliseconds;
    let resolve = (): void => undefined;
    const submitted = new Promise<void>((settle) => (resolve = settle));
    this.#pace.record(milliseconds);
    this.#queue.push({ batch, timing, segments, isPaced, isReady: undefined, submitted, resolve });
    if (waiting) this.watch(waiting);
    this.#submitReady();
  }

  /** Tells a call how far all is that was recorded by now, and calls it off when the call is. */
  watch({ wait, read }: Waiting): void {
    // What is timed is not the caller's: it measures candidates.
    const from = this.#queue.flatMap(({ segments, timing }) => (timing ? [] : segments));
    wait.onCancel = (error) => {
      const queued = this.#queue.flatMap(({ segments }) => segments);
      callOff(
        from.filter((segment) => queued.includes(segment)),
        queued,
        read,
        error,
      );
      this.#submitReady();
    };
    this.#pace.watch(wait);
    if (wait.cancelled) wait.onCancel(wait.cancelled);
  }

  /** From here on nothing is submitted, not even batches that wait for their kernels: their memory goes. */
  dispose(): void {
    this.#disposed = true;
    for (const { batch, resolve } of this.#queue) {
      batch.abandon(disposedError());
      resolve();
    }
  }

  #submitReady(): void {
    while (!this.#disposed && this.#queue.length > 0) {
      const [first] = this.#queue;
      if (!this.#isReady(first) || !this.#submit(first)) return;
      this.#queue.shift();
      first.batch.settle(this.#pool);
      first.resolve();
    }
  }

  #isReady(queued: Queued): boolean {
    if (queued.isReady === undefined) {
      queued.isReady = queued.batch.isReady;
      if (!queued.isReady) {
        void queued.batch.ready(queued.segments.map(({ operations }) => operations)).then(() => {
          queued.isReady = true;
          this.#submitReady();
        });
      }
    }
    return queued.isReady;
  }

  /** Submits as much as there is room for. Returns whether that is all. */
  #submit({ segments, isPaced }: Queued): boolean {
    for (let [segment] = segments; segments.length > 0; [segment] = segments) {
      // Less than was recorded where some of it was called off.
      const milliseconds = millisecondsOf(segment.operations);
      const waits = isPaced && milliseconds > 0;
      if (waits && this.#queue.length <= MOST_WAITING && !this.#pace.admits(milliseconds)) return false;
      segments.shift();
      this.submissions.submit(segment);
      this.#pace.pass(segment.milliseconds - (waits ? milliseconds : 0));
      if (waits) this.#pace.start(milliseconds);
    }
    return true;
  }
}
