/** The power of small filters. */
import type { ComponentChild } from "preact";

export default function Placeholder(): ComponentChild {
  return <p>The power of small filters</p>;
}
