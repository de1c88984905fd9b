/**
 * Weights in the form that a plan's kernels read, kept from call to call until their values change.
 *
 * A form is kept from the second use of the same values on: weights that change with every step of training take no memory for
 * it. There is a budget, and the form that was unused for longest goes first. A sequence has forms of its own, from its first
 * run on. Values in a buffer that the caller has may change unseen: they are packed each time.
 */
import { entriesOf } from "../../base/entries.js";
import { BYTES_PER_ELEMENT } from "../../problem/dtype.js";
import type { Packing } from "../../planning/packing.js";
import { type Batch, isCurrent, type PackedForm } from "./batch.js";
import { errorOf, type GpuStorage } from "../device/storage.js";
import type { DeviceMemory } from "./memory.js";
import type { Recorder } from "./recorder.js";

/** The use of the same values from which on a form is kept. */
const USES_BEFORE_KEEPING = 2;
/** After so many uses of others a form may make room. A network has fewer layers. */
const USES_UNTIL_STALE = 256;

/** One way of packing one tensor. */
interface Entry {
  /** The version that was last asked for, and how often. */
  version: number;
  uses: number;
  /** Counted over all entries. */
  lastUse: number;
  form: PackedForm | undefined;
}

/** A form of a sequence, and the version of the weights of which its recording has packed it last. */
interface SequenceEntry {
  readonly form: PackedForm;
  readonly version: number;
}

const bytesOf = (form: PackedForm): number =>
  [...form.storages.values()].reduce((sum, { pooled }) => sum + pooled.bytes, 0);

export class PackedWeights {
  readonly #memory: DeviceMemory;
  readonly #recorder: Recorder;
  readonly #capBytes: number;
  readonly #entries = new Map<GpuStorage, Map<string, Entry>>();
  readonly #ofSequences = new WeakMap<Batch, Map<GpuStorage, Map<string, SequenceEntry>>>();
  /** All forms, including those of sequences. */
  readonly #forms = new Set<PackedForm>();
  /** Entries with a form, the most recently used last. */
  readonly #kept = new Set<Entry>();
  #keptBytes = 0;
  #uses = 0;

  /** @param capBytes how much memory forms may take */
  constructor(memory: DeviceMemory, recorder: Recorder, capBytes: number) {
    this.#memory = memory;
    this.#recorder = recorder;
    this.#capBytes = capBytes;
  }

  /**
   * The form that an operation recorded now should read.
   *
   * @param pack called where the form is of older values: it must record the packing
   * @returns undefined where the operation packs for itself
   */
  use(weights: GpuStorage, packing: Packing, pack: (form: PackedForm) => void): PackedForm | undefined {
    const sequence = this.#recorder.open.sequence;
    if (sequence) return this.#useInSequence(sequence, weights, packing, pack);
    if (weights.exposed) return undefined;
    // A caller's encoder reads the values that the weights have when the caller submits it.
    if (!this.#recorder.open.isForQueue) return undefined;
    const form = this.#formOf(this.#entryOf(weights, packing), weights, packing);
    if (form && !isCurrent(form)) pack(form);
    return form;
  }

  /** Makes every form be packed again before its next use: recorded packings may not have run. */
  distrust(): void {
    for (const form of this.#forms) form.version = undefined;
  }

  /** Gives back the forms of weights that were disposed of, or that the caller may change unseen from now on. */
  forget(weights: GpuStorage): void {
    for (const entry of this.#entries.get(weights)?.values() ?? []) this.#drop(entry);
    this.#entries.delete(weights);
  }

  /** A sequence that changes weights in place packs them once more before it reads them again. */
  #useInSequence(sequence: Batch, weights: GpuStorage, packing: Packing, pack: (form: PackedForm) => void): PackedForm {
    const { version } = weights;
    const forms = getOrInsert(this.#ofSequences, sequence, () => new Map<GpuStorage, Map<string, SequenceEntry>>());
    const ofWeights = getOrInsert(forms, weights, () => new Map<string, SequenceEntry>());
    const known = ofWeights.get(packing.key);
    if (known?.version === version) return known.form;
    const form = known?.form ?? this.#makeSequenceForm(weights, packing);
    ofWeights.set(packing.key, { form, version });
    pack(form);
    return form;
  }

  #makeSequenceForm(weights: GpuStorage, packing: Packing): PackedForm {
    const form = this.#makeForm(weights, packing);
    for (const { pooled } of form.storages.values()) this.#recorder.memory.releaseWithBatch(pooled);
    this.#recorder.memory.afterBatch(() => this.#forms.delete(form));
    return form;
  }

  #entryOf(weights: GpuStorage, packing: Packing): Entry {
    const { version } = weights;
    const ofWeights = getOrInsert(this.#entries, weights, () => new Map<string, Entry>());
    const entry = getOrInsert(ofWeights, packing.key, () => ({ version, uses: 0, lastUse: 0, form: undefined }));
    if (entry.version !== version) Object.assign(entry, { version, uses: 0 });
    entry.uses++;
    entry.lastUse = this.#uses++;
    return entry;
  }

  #formOf(entry: Entry, weights: GpuStorage, packing: Packing): PackedForm | undefined {
    const failed = [...(entry.form?.storages.values() ?? [])].some((storage) => errorOf(storage) !== undefined);
    if (failed) this.#drop(entry);
    if (!entry.form) {
      if (entry.uses < USES_BEFORE_KEEPING) return undefined;
      const bytes = entriesOf(packing.packed).reduce((sum, [, size]) => sum + size, 0);
      if (bytes > this.#capBytes) return undefined;
      for (const oldest of this.#kept) {
        if (this.#keptBytes + bytes <= this.#capBytes) break;
        // All forms are in use. They would push each other out, each before its next use.
        if (this.#uses - oldest.lastUse < USES_UNTIL_STALE) return undefined;
        this.#drop(oldest);
      }
      entry.form = this.#makeForm(weights, packing);
      this.#keptBytes += bytesOf(entry.form);
    }
    this.#kept.delete(entry);
    this.#kept.add(entry);
    return entry.form;
  }

  #makeForm(weights: GpuStorage, packing: Packing): PackedForm {
    const storages = entriesOf(packing.packed).map(([name, bytes]) => {
      // Memory that the open batch is done with will not do: a sequence would write over it in its next run.
      return [name, this.#memory.allocate([bytes / BYTES_PER_ELEMENT.float32], "float32", "host")] as const;
    });
    const form = { weights, storages: new Map(storages), version: undefined };
    this.#forms.add(form);
    return form;
  }

  #drop(entry: Entry): void {
    if (!entry.form) return;
    this.#keptBytes -= bytesOf(entry.form);
    for (const { pooled } of entry.form.storages.values()) this.#memory.release(pooled);
    this.#forms.delete(entry.form);
    entry.form = undefined;
    this.#kept.delete(entry);
  }
}

function getOrInsert<Key extends object | string, Value>(
  map: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  make: () => Value,
): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
