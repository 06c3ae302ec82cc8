import { eulerMatrix } from "../kernels/math/euler.ts";
import type { Volume } from "../volume.ts";
import type { Canvas, Colour } from "./canvas.ts";

/** The density level that encloses a volume (Å³), for the surface of a molecule of known mass. */
export function enclosingLevel({ data, pixelSize }: Volume, cubicAngstrom: number): number {
  const sorted = Float32Array.from(data).sort();
  const voxels = Math.min(data.length - 1, Math.round(cubicAngstrom / pixelSize ** 3));
  return sorted[data.length - 1 - voxels]!;
}

/** Steps of a ray in one voxel; below 2 thin parts are missed. */
const stepsPerVoxel = 2;
const light = normalised([-0.45, -0.6, -0.66]);

/**
 * Draws the surface of a map at a density, lit from the upper left, seen along an orientation's viewing direction.
 *
 * @param view - rot, tilt, psi; degrees
 * @param zoom - part of the box that fills the picture
 */
export function drawSurface(
  canvas: Canvas,
  volume: Volume,
  level: number,
  place: { readonly x: number; readonly y: number; readonly side: number },
  look: { readonly view: readonly [number, number, number]; readonly zoom: number; readonly colour: Colour },
): void {
  const m = eulerMatrix(...look.view);
  const { size } = volume;
  const reach = size / 2 - 2;
  for (let row = 0; row < place.side; row++) {
    for (let column = 0; column < place.side; column++) {
      const u = ((column + 0.5) / place.side - 0.5) * size * look.zoom;
      const v = ((row + 0.5) / place.side - 0.5) * size * look.zoom;
      const start: Vector = [
        size / 2 + u * m[0] + v * m[3],
        size / 2 + u * m[1] + v * m[4],
        size / 2 + u * m[2] + v * m[5],
      ];
      const depth = firstHit(volume, start, [m[6], m[7], m[8]], level, reach);
      if (depth === undefined) continue;
      const [gx, gy, gz] = gradient(
        volume,
        start[0] + depth * m[6],
        start[1] + depth * m[7],
        start[2] + depth * m[8],
      );
      // The normal in the frame of the picture: it points against the gradient, because density falls outwards.
      const normal = normalised([
        -(gx * m[0] + gy * m[1] + gz * m[2]),
        -(gx * m[3] + gy * m[4] + gz * m[5]),
        -(gx * m[6] + gy * m[7] + gz * m[8]),
      ]);
      const lit = Math.max(0, normal[0] * light[0] + normal[1] * light[1] + normal[2] * light[2]);
      // Distant parts are darker, which shows depth without shadows.
      const shade = (0.3 + 0.75 * lit) * (1 - (0.35 * (depth + reach)) / (2 * reach));
      const colour = look.colour.map((value) => Math.min(255, value * shade + 40 * lit ** 12));
      canvas.blend(place.x + column, place.y + row, colour as unknown as Colour, 1);
    }
  }
}

type Vector = readonly [number, number, number];

/** The depth at which a ray from the near side first meets the level, interpolated between two steps. */
function firstHit(
  volume: Volume,
  start: Vector,
  along: Vector,
  level: number,
  reach: number,
): number | undefined {
  const [x, y, z] = start;
  const [dx, dy, dz] = along;
  let before = -Infinity;
  for (let depth = -reach; depth <= reach; depth += 1 / stepsPerVoxel) {
    const value = density(volume, x + depth * dx, y + depth * dy, z + depth * dz);
    if (value >= level) {
      const part = Number.isFinite(before) ? (value - level) / (value - before) : 0;
      return depth - part / stepsPerVoxel;
    }
    before = value;
  }
  return undefined;
}

function gradient(volume: Volume, x: number, y: number, z: number): Vector {
  return [
    density(volume, x + 1, y, z) - density(volume, x - 1, y, z),
    density(volume, x, y + 1, z) - density(volume, x, y - 1, z),
    density(volume, x, y, z + 1) - density(volume, x, y, z - 1),
  ];
}

function density({ size, data }: Volume, x: number, y: number, z: number): number {
  if (!(x >= 0 && y >= 0 && z >= 0 && x < size - 1 && y < size - 1 && z < size - 1)) return -Infinity;
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  const z0 = Math.floor(z);
  const at = (z0 * size + y0) * size + x0;
  const fx = x - x0;
  const low = plane(data, at, size, fx, y - y0);
  return low + (plane(data, at + size * size, size, fx, y - y0) - low) * (z - z0);
}

function plane(data: Float32Array, at: number, row: number, fx: number, fy: number): number {
  const near = data[at]! + (data[at + 1]! - data[at]!) * fx;
  const far = data[at + row]! + (data[at + row + 1]! - data[at + row]!) * fx;
  return near + (far - near) * fy;
}

function normalised([x, y, z]: Vector): Vector {
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}
