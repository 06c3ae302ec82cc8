import { Engine } from "../wasm/engine.ts";
import { nextFastSize } from "./fft-plan.ts";
import { halfLength3, RealTransform } from "./fft-real.ts";
import { sin } from "./trigonometry.ts";

/** The centred half transform of a map, padded at least twofold so that trilinear interpolation is accurate. */
export interface FourierVolume {
  /** Voxels a side of the map. */
  readonly box: number;
  /** Voxels a side of the padded cube, of {@link paddedSize}. */
  readonly padded: number;
  /** The map's own engine, because a map is kept longer than a task. */
  readonly engine: Engine;
  /** Address of the half transform. */
  readonly half: number;
  /** Memory from this address on is free for tasks. */
  readonly top: number;
}

/** Side of the padded cube of a map of `box` voxels: the next even number from twice `box` on with the factors 2, 3 and 5 only. */
export function paddedSize(box: number): number {
  return nextFastSize(2 * box);
}

/**
 * Prepares a map for {@link SliceTaker} (slice-band.ts): divides by the transform of the interpolation's triangle, pads,
 * transforms.
 *
 * @param map - `box`³ densities, x fastest, origin at voxel box/2
 */
export function fourierVolume(map: Float32Array, box: number): FourierVolume {
  const padded = paddedSize(box);
  const engine = new Engine();
  const half = engine.take(4 * halfLength3(padded));
  const { top } = engine;
  const transform = new RealTransform(engine, padded);
  const cube = engine.floats(half, halfLength3(padded));
  const correction = triangleTransform(box, padded);
  const offset = (padded - box) / 2;
  for (let z = 0; z < box; z++) {
    for (let y = 0; y < box; y++) {
      const from = (z * box + y) * box;
      const to = ((z + offset) * padded + y + offset) * (padded + 2) + offset;
      const zy = correction[z]! * correction[y]!;
      for (let x = 0; x < box; x++) cube[to + x] = map[from + x]! / (zy * correction[x]!);
    }
  }
  transform.forward3(half, { filled: [offset, offset + box] });
  engine.release(top);
  return { box, padded, engine, half, top };
}

/**
 * The factor by which linear interpolation between samples of a transform of `padded` points damps the field: sinc² of the
 * distance from the origin, for each of the `box` samples in the middle.
 */
export function triangleTransform(box: number, padded: number): Float64Array {
  return Float64Array.from({ length: box }, (_, i) => {
    const angle = (Math.PI * (i - box / 2)) / padded;
    const sinc = angle === 0 ? 1 : sin(angle) / angle;
    return sinc * sinc;
  });
}
