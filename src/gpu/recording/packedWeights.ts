/**
 * Weights in the form that a plan's kernels read, kept from call to call until their values change; and the results of operations
 * that are kept, which are forms of all their operands.
 *
 * A packing is kept from the second use of the same values on: weights that change with every step of training take no memory for
 * it. There is a budget, and the form that was unused for longest goes first. A sequence has forms of its own, from its first
 * run on. Values in a buffer that the caller has may change unseen: they are packed each time.
 */
import { entriesOf } from "../../base/entries.js";
import { product } from "../../problem/geometry.js";
import type { Form } from "../../planning/packing.js";
import { type Batch, isCurrent, type PackedForm, versionOf } from "./batch.js";
import { bytesOfValues, errorOf, type GpuStorage } from "../device/storage.js";
import type { DeviceMemory } from "./memory.js";
import type { Recorder } from "./recorder.js";

/** After so many uses of others a form may make room. A network has fewer layers. */
const USES_UNTIL_STALE = 256;

/** One way of packing. */
interface Entry {
  readonly sources: readonly GpuStorage[];
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
  use(sources: readonly GpuStorage[], given: Form, pack: (form: PackedForm) => void): PackedForm | undefined {
    // Memory stands for the tensors after the first.
    const key = sources.slice(1).reduce((all, { pooled }) => `${all} ${String(pooled.id)}`, given.key);
    const sequence = this.#recorder.open.sequence;
    if (sequence) return this.#useInSequence(sequence, sources, key, given, pack);
    // A part is another storage each time that it is taken: nothing would find its form again.
    if (sources.some(({ exposed, whole }) => exposed || whole)) return undefined;
    // A caller's encoder reads the values that the weights have when the caller submits it.
    if (!this.#recorder.open.isForQueue) return undefined;
    const form = this.#formOf(this.#entryOf(sources, key), given);
    if (form && !isCurrent(form)) pack(form);
    return form;
  }

  /** Makes every form be packed again before its next use: recorded packings may not have run. */
  distrust(): void {
    for (const form of this.#forms) form.version = undefined;
  }

  /** Gives back the forms of tensors that were disposed of, or that the caller may change unseen from now on. */
  forget(source: GpuStorage): void {
    for (const [key, entry] of this.#entries.get(source) ?? []) {
      this.#drop(entry);
      for (const other of entry.sources) this.#entries.get(other)?.delete(key);
    }
    this.#entries.delete(source);
  }

  /** A sequence that changes weights in place packs them once more before it reads them again. */
  #useInSequence(
    sequence: Batch,
    sources: readonly GpuStorage[],
    key: string,
    given: Form,
    pack: (form: PackedForm) => void,
  ): PackedForm {
    const version = versionOf(sources);
    const forms = getOrInsert(this.#ofSequences, sequence, () => new Map<GpuStorage, Map<string, SequenceEntry>>());
    const ofFirst = getOrInsert(forms, sources[0], () => new Map<string, SequenceEntry>());
    let known = ofFirst.get(key);
    // Its memory may serve another tensor by now.
    if (known?.form.sources.some((source, i) => source !== sources[i])) known = undefined;
    if (known?.version === version) return known.form;
    const form = known?.form ?? this.#makeSequenceForm(sources, given);
    ofFirst.set(key, { form, version });
    pack(form);
    return form;
  }

  #makeSequenceForm(sources: readonly GpuStorage[], given: Form): PackedForm {
    const form = this.#makeForm(sources, given);
    for (const { pooled } of form.storages.values()) this.#recorder.memory.releaseWithBatch(pooled);
    this.#recorder.memory.afterBatch(() => this.#forms.delete(form));
    return form;
  }

  #entryOf(sources: readonly GpuStorage[], key: string): Entry {
    const version = versionOf(sources);
    const made: Entry = { sources, version, uses: 0, lastUse: 0, form: undefined };
    const [entry] = sources.map((source) => {
      return getOrInsert(
        getOrInsert(this.#entries, source, () => new Map<string, Entry>()),
        key,
        () => made,
      );
    });
    if (entry.version !== version) Object.assign(entry, { version, uses: 0 });
    entry.uses++;
    entry.lastUse = this.#uses++;
    return entry;
  }

  #formOf(entry: Entry, given: Form): PackedForm | undefined {
    const failed = [...(entry.form?.storages.values() ?? [])].some((storage) => errorOf(storage) !== undefined);
    if (failed) this.#drop(entry);
    if (!entry.form) {
      if (entry.uses < given.keptFrom) return undefined;
      const bytes = entriesOf(given.packed).reduce(
        (sum, [, { shape, dtype }]) => sum + bytesOfValues(product(shape), dtype),
        0,
      );
      if (bytes > this.#capBytes) return undefined;
      for (const oldest of this.#kept) {
        if (this.#keptBytes + bytes <= this.#capBytes) break;
        // All forms are in use. They would push each other out, each before its next use.
        if (this.#uses - oldest.lastUse < USES_UNTIL_STALE) return undefined;
        this.#drop(oldest);
      }
      entry.form = this.#makeForm(entry.sources, given);
      this.#keptBytes += bytesOf(entry.form);
    }
    this.#kept.delete(entry);
    this.#kept.add(entry);
    return entry.form;
  }

  #makeForm(sources: readonly GpuStorage[], { packed }: Form): PackedForm {
    const storages = entriesOf(packed).map(([name, { shape, dtype }]) => {
      // Memory that the open batch is done with will not do: a sequence would write over it in its next run.
      const storage = this.#memory.allocate(shape, dtype, "host");
      storage.kept = true;
      return [name, storage] as const;
    });
    const form = { sources, storages: new Map(storages), version: undefined };
    this.#forms.add(form);
    return form;
  }

  #drop(entry: Entry): void {
    if (!entry.form) return;
    this.#keptBytes -= bytesOf(entry.form);
    for (const storage of entry.form.storages.values()) {
      // Folded weights have forms of their own.
      this.forget(storage);
      this.#memory.release(storage.pooled);
    }
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
