/** The part shown and its settings, and the address that holds them: either may change, and the other follows. */
import type { Part } from "../parts/part.js";
import { formatLink, parseSettings, partOf } from "../settings/link.js";
import { choice } from "../settings/schema.js";
import type { Backend } from "./useEngineLifecycle.js";

/** Settings of the page itself, beside each part's own. */
const PAGE_SCHEMA = { backend: choice<Backend>("webgpu", ["webgpu", "cpu"]) };

/** Browsers refuse an address that changes too often: Safari more than 100 times in half a minute. */
const ADDRESS_DELAY_MS = 350;

type Settings = Readonly<Record<string, unknown>>;

export interface Place {
  readonly part: Part;
  readonly settings: Settings;
  readonly backend: Backend;
}

/** The browser's address, as far as it is used. */
export interface AddressBar {
  /** With the hash sign; empty where there is none. */
  readonly hash: string;
  /** Puts another one there, without going anywhere. */
  replace(this: void, hash: string): void;
}

const hashOf = ({ part, settings, backend }: Place): string =>
  formatLink(part.id, { ...part.schema, ...PAGE_SCHEMA }, { ...settings, backend });

export class Address {
  readonly #parts: readonly Part[];
  readonly #bar: AddressBar;
  /** Of parts as they were left, by their ids, and of the one shown. */
  readonly #settings = new Map<string, Settings>();
  readonly #onMove: (place: Place) => void;
  #place: Place;
  /** The hash as it was last read or written: another one is the visitor's, who has just gone elsewhere. */
  #known: string;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onMove told of each new place */
  constructor(parts: readonly Part[], bar: AddressBar, onMove: (place: Place) => void) {
    this.#parts = parts;
    this.#bar = bar;
    this.#onMove = onMove;
    this.#known = bar.hash;
    this.#place = this.#read();
  }

  get place(): Place {
    return this.#place;
  }

  /** Goes where the address leads. To be called whenever it may have changed. */
  readonly follow = (): void => {
    if (this.#bar.hash === this.#known) return;
    this.#known = this.#bar.hash;
    this.#move(this.#read());
  };

  /** Changes settings of a part, which the visitor may have left meanwhile. */
  readonly change = (part: Part, changed: Settings): void => {
    const settings = { ...this.#settingsOf(part), ...changed };
    this.#settings.set(part.id, settings);
    if (part === this.#place.part) this.#move({ ...this.#place, settings });
  };

  readonly changeBackend = (backend: Backend): void => this.#move({ ...this.#place, backend });

  /** The hash of a part, with its settings as they were left. */
  readonly hashOf = (part: Part): string =>
    hashOf({ part, settings: this.#settingsOf(part), backend: this.#place.backend });

  /** Makes the address that of the place shown, a moment from now: much may change at once. */
  readonly writeSoon = (): void => {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.write, ADDRESS_DELAY_MS);
  };

  /** The same at once; does nothing where the visitor has gone elsewhere, and the page has still to follow. */
  readonly write = (): void => {
    clearTimeout(this.#timer);
    const { hash } = this.#bar;
    const own = hashOf(this.#place);
    // Without a hash the first part is shown: it needs none as long as nothing is changed.
    const holds = hash === own || (hash === "" && own === `#${this.#parts[0].id}`);
    if (hash !== this.#known || holds) return;
    this.#bar.replace(own);
    this.#known = this.#bar.hash;
  };

  #move(place: Place): void {
    this.#place = place;
    this.writeSoon();
    this.#onMove(place);
  }

  #read(): Place {
    const part = partOf(this.#known, this.#parts);
    const settings = parseSettings(this.#known, part.schema);
    this.#settings.set(part.id, settings);
    return { part, settings, backend: parseSettings(this.#known, PAGE_SCHEMA).backend };
  }

  #settingsOf(part: Part): Settings {
    return this.#settings.get(part.id) ?? parseSettings("", part.schema);
  }
}
