/** The layer, step by step. */
import type { ComponentChild } from "preact";

export default function Placeholder(): ComponentChild {
  return <p>The layer, step by step</p>;
}
