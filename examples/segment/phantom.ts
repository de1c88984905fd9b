/** A volume to be segmented: ellipsoids within one another, with noise. */
import { Random } from "webgpu-conv/nn";

export type Extents = readonly [depth: number, height: number, width: number];

export interface Volume {
  readonly extents: Extents;
  /** Row-major, about 0 to 1. */
  readonly values: Float32Array<ArrayBuffer>;
  /** A class a voxel: 0 background, 1 grey, 2 white. */
  readonly labels: Uint8Array<ArrayBuffer>;
}

/** Places and half axes are parts of the volume's extents, from -1 to 1. */
interface Ellipsoid {
  readonly label: number;
  readonly centre: Extents;
  readonly axes: Extents;
}

/** Mean values of the classes, and by how much noise moves them at most: neighbours overlap. */
const VALUES = [0.1, 0.5, 0.8];
const NOISE = 0.25;
/** Small bodies of grey within the white. */
const BODIES = 6;

/** The same for a seed on every machine. Later ellipsoids lie on earlier ones. */
export function makePhantom(extents: Extents, seed: number): Volume {
  const random = new Random(seed);
  const near = (value: number, by: number): number => value + random.uniform(-by, by);
  const triple = (make: () => number): Extents => [make(), make(), make()];
  const around = triple(() => near(0, 0.05));
  const ellipsoids: readonly Ellipsoid[] = [
    { label: 1, centre: around, axes: triple(() => near(0.8, 0.05)) },
    { label: 2, centre: around, axes: triple(() => near(0.6, 0.05)) },
    ...Array.from({ length: BODIES }, () => {
      return { label: 1, centre: triple(() => near(0, 0.4)), axes: triple(() => near(0.15, 0.05)) };
    }),
  ];
  const labels = new Uint8Array(extents[0] * extents[1] * extents[2]);
  for (const ellipsoid of ellipsoids) fill(labels, extents, ellipsoid);
  const values = Float32Array.from(labels, (label) => near(VALUES[label], NOISE));
  return { extents, values, labels };
}

function fill(labels: Uint8Array, extents: Extents, { label, centre, axes }: Ellipsoid): void {
  // Distances from the centre, in half axes, squared.
  const [planes, rows, columns] = extents.map((extent, axis) =>
    Float64Array.from({ length: extent }, (_, i) => {
      return (((2 * i + 1) / extent - 1 - centre[axis]) / axes[axis]) ** 2;
    }),
  );
  let at = 0;
  for (const plane of planes) {
    for (const row of rows) {
      for (const column of columns) {
        if (plane + row + column <= 1) labels[at] = label;
        at++;
      }
    }
  }
}
