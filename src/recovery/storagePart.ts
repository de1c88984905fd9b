/** Parts of tensors that outlive their device: windows on their memory, and on its copy. */
import { memoryOf, type Part, type TensorStorage } from "../backend/backend.js";
import { BYTES_PER_ELEMENT, type StoredValues } from "../problem/dtype.js";
import { bytesOf, RecoverableStorage } from "./storage.js";

/** What is known of the memory is known once. */
const SHARED = ["keeps", "isSnapshot", "version", "copiedVersion", "released"] as const;

export class RecoverablePart extends RecoverableStorage {
  override readonly whole: RecoverableStorage;
  override readonly begin: number;

  /** @param view the part that it is of the whole's memory on a device */
  constructor(storage: RecoverableStorage, part: Part, view: (whole: TensorStorage, part: Part) => TensorStorage) {
    const { dtype } = storage;
    const { begin, shape, name } = part;
    super({ shape, dtype, what: () => `a part, by ${name}` });
    const whole = memoryOf(storage);
    const first = storage.begin + begin;
    this.whole = whole;
    this.begin = first;
    let made: { readonly of: TensorStorage; readonly part: TensorStorage } | undefined;
    const inner = (): TensorStorage | undefined => {
      const of = whole.inner;
      if (of && made?.of !== of) made = { of, part: view(of, { ...part, begin: first }) };
      return of && made?.part;
    };
    for (const key of SHARED) {
      Object.defineProperty(this, key, {
        get: () => whole[key],
        set: (value: never) => void Object.assign(whole, { [key]: value }),
      });
    }
    Object.defineProperties(this, {
      inner: { get: inner },
      copy: { get: () => whole.copy?.slice(...this.#bytes) },
      // New values of a part leave the whole's error.
      error: { get: () => whole.error, set: (error?: Error) => void (whole.error = error ?? whole.error) },
    });
  }

  get #bytes(): [begin: number, end: number] {
    const each = BYTES_PER_ELEMENT[this.dtype];
    return [this.begin * each, (this.begin + this.size) * each];
  }

  /** A copy of older values of the whole stays one. */
  override noteWritten(values: StoredValues): void {
    const { whole } = this;
    const copy = whole.keeps ? whole.currentCopy?.slice() : undefined;
    whole.version++;
    if (!copy) return;
    const [begin, end] = this.#bytes;
    new Uint8Array(copy).set(new Uint8Array(bytesOf(values)).subarray(0, end - begin), begin);
    whole.keepWritten(copy);
  }
}
