import type { DataReference } from "../../shared/data-reference.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { makeBand, scatterBand } from "./math/band.ts";
import { readFourierVolume } from "./math/blobs.ts";
import { checkFinite, checkMaxRadius } from "./math/checks.ts";
import { eulerMatrix } from "./math/euler.ts";
import { gatherRows, halfLength2, RealTransform } from "./math/fft-real.ts";
import { PhaseTables } from "./math/phase-tables.ts";
import { poseAt, poseLength } from "./math/poses.ts";
import { putBand, SliceTaker, takeValues } from "./math/slice-band.ts";

/** Orientations of a block of projections of a map. */
type ProjectInput = {
  /** `box`³ 32-bit densities, x fastest. */
  readonly map: DataReference;
  /** Voxels a side, even. */
  readonly box: number;
  /** Packed poses: the particle of pose `(…, ox, oy)` is at (−ox, −oy) from the centre, as in RELION. */
  readonly poses: Float64Array;
  /** Largest frequency of the projections (exclusive), in cycles per box; at most box/2. */
  readonly maxRadius: number;
};

/** Images of `box`² pixels, x fastest. */
type ProjectOutput = Float32Array;

/** Projects a map by central slices of its padded transform (Crowther, DeRosier & Klug, Proc. R. Soc. A 317 (1970) 319). */
export default async function project(input: ProjectInput, ctx: KernelContext): Promise<ProjectOutput> {
  const { box, poses, maxRadius } = input;
  checkMaxRadius(maxRadius);
  checkFinite("poses", poses);
  const volume = await readFourierVolume(ctx, input.map, box);
  const { engine } = volume;
  const band = makeBand(box, 0, maxRadius);
  const tables = putBand(engine, band);
  const slices = new SliceTaker(volume, tables, box);
  const phases = new PhaseTables(engine, box);
  const transform = new RealTransform(engine, box);
  const values = takeValues(engine, tables);
  const half = engine.take(4 * halfLength2(box));
  const count = poses.length / poseLength;
  const images = new Float32Array(count * box * box);
  for (let i = 0; i < count; i++) {
    const { rot, tilt, psi, originX, originY } = poseAt(poses, i);
    slices.take(eulerMatrix(rot, tilt, psi), values);
    if (originX !== 0 || originY !== 0) {
      phases.set(originX, originY);
      engine.call.shiftBand(values, tables.phases, tables.count, phases.alongX, phases.alongY);
    }
    const field = engine.floats(half, halfLength2(box)).fill(0);
    scatterBand(engine.floats(values, 2 * tables.count), band, field);
    transform.inverse2(half);
    gatherRows(field, box, images.subarray(i * box * box, (i + 1) * box * box));
    ctx.progress((i + 1) / count);
  }
  return images;
}
