/** Benchmark. */
import type { ComponentChild } from "preact";

export default function Placeholder(): ComponentChild {
  return <p>Benchmark</p>;
}
