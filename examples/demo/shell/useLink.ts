/** The part shown and its settings, kept in the page's address. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Part } from "../parts/part.js";
import { formatLink, parseSettings, partOf } from "../settings/link.js";
import { choice } from "../settings/schema.js";
import type { Backend } from "./useEngineLifecycle.js";

/** Settings of the page itself, beside each part's own. */
const PAGE_SCHEMA = { backend: choice<Backend>("webgpu", ["webgpu", "cpu"]) };

/** Browsers refuse an address that changes too often: Safari more than 100 times in half a minute. */
const ADDRESS_DELAY_MS = 350;

interface Place {
  readonly part: Part;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly backend: Backend;
}

export interface LinkState extends Place {
  change(this: void, changed: Readonly<Record<string, unknown>>): void;
  changeBackend(this: void, backend: Backend): void;
  /** The address of a part, with its settings as they were left. */
  hrefOf(this: void, part: Part): string;
}

const hrefOfPlace = ({ part, settings, backend }: Place): string =>
  formatLink(part.id, { ...part.schema, ...PAGE_SCHEMA }, { ...settings, backend });

function readPlace(parts: readonly Part[]): Place {
  const part = partOf(location.hash, parts);
  const { backend } = parseSettings(location.hash, PAGE_SCHEMA);
  return { part, settings: parseSettings(location.hash, part.schema), backend };
}

export function useLink(parts: readonly Part[]): LinkState {
  const [place, setPlace] = useState(() => readPlace(parts));
  const left = useRef(new Map<string, Readonly<Record<string, unknown>>>());
  left.current.set(place.part.id, place.settings);

  useEffect(() => {
    const follow = (): void => setPlace(readPlace(parts));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, [parts]);

  useEffect(() => {
    const write = (): void => {
      const href = hrefOfPlace(place);
      if (location.hash !== href && location.hash !== "") history.replaceState(null, "", href);
      else if (location.hash === "" && href !== `#${parts[0].id}`) history.replaceState(null, "", href);
    };
    const timer = setTimeout(write, ADDRESS_DELAY_MS);
    // Whoever leaves or copies the address at once still gets the last one.
    addEventListener("pagehide", write);
    return () => {
      clearTimeout(timer);
      removeEventListener("pagehide", write);
    };
  }, [place, parts]);

  const change = useCallback((changed: Readonly<Record<string, unknown>>) => {
    setPlace((before) => ({ ...before, settings: { ...before.settings, ...changed } }));
  }, []);
  const changeBackend = useCallback((backend: Backend) => setPlace((before) => ({ ...before, backend })), []);
  const hrefOf = (part: Part): string => {
    return hrefOfPlace({
      part,
      settings: left.current.get(part.id) ?? parseSettings("", part.schema),
      backend: place.backend,
    });
  };
  return { ...place, change, changeBackend, hrefOf };
}
