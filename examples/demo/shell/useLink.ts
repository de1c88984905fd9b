/** The part shown and its settings, kept in the page's address. */
import { useCallback, useEffect, useState } from "preact/hooks";
import type { Part } from "../parts/part.js";
import { Address, type AddressBar, type Place } from "./address.js";
import type { Backend } from "./useEngineLifecycle.js";

export interface LinkState extends Place {
  /** Changes settings of the part shown. */
  change(this: void, changed: Readonly<Record<string, unknown>>): void;
  changeBackend(this: void, backend: Backend): void;
  /** The address of a part, with its settings as they were left. */
  hrefOf(this: void, part: Part): string;
  /** The whole address of what is shown now, which the browser then has too. */
  share(this: void): string;
}

const BAR: AddressBar = {
  get hash() {
    return location.hash;
  },
  replace: (hash) => history.replaceState(null, "", hash),
};

export function useLink(parts: readonly Part[]): LinkState {
  const [place, setPlace] = useState<Place>();
  const [address] = useState(() => new Address(parts, BAR, setPlace));
  useEffect(() => {
    // The visitor may have gone elsewhere before anything listened.
    address.follow();
    address.writeSoon();
    addEventListener("hashchange", address.follow);
    // Whoever leaves, by a link or altogether, finds the last change again on coming back.
    addEventListener("click", address.write, true);
    addEventListener("pagehide", address.write);
    return () => {
      removeEventListener("hashchange", address.follow);
      removeEventListener("click", address.write, true);
      removeEventListener("pagehide", address.write);
    };
  }, [address]);

  const shown = place ?? address.place;
  const change = useCallback(
    (changed: Readonly<Record<string, unknown>>) => address.change(shown.part, changed),
    [address, shown.part],
  );
  const share = useCallback(() => {
    address.write();
    return new URL(address.hashOf(address.place.part), location.href).href;
  }, [address]);
  return { ...shown, change, changeBackend: address.changeBackend, hrefOf: address.hashOf, share };
}
