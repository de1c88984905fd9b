/** Activation maps, live. */
import type { ComponentChild } from "preact";

export default function Placeholder(): ComponentChild {
  return <p>Activation maps, live</p>;
}
