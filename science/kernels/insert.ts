import type { DataReference } from "../../shared/data-reference.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { Background } from "./math/background.ts";
import { makeBand } from "./math/band.ts";
import { readStacks } from "./math/blobs.ts";
import { checkBox, checkFinite, checkMaxRadius, checkRotations } from "./math/checks.ts";
import { eulerMatrix, multiply, type Matrix3 } from "./math/euler.ts";
import { halfLength2, RealTransform } from "./math/fft-real.ts";
import { paddedSize } from "./math/fourier-volume.ts";
import { PhaseTables } from "./math/phase-tables.ts";
import { poseAt, poseLength } from "./math/poses.ts";
import { putBand, takeValues } from "./math/slice-band.ts";
import { SliceSum } from "./math/slice-sum.ts";
import { withEngine, type Engine } from "./wasm/engine.ts";

/** Particles with known poses to insert into a Fourier volume. */
type InsertInput = {
  /** Images of `box`² 32-bit pixels, x fastest; one reference for each run of neighbouring images. */
  readonly particles: readonly DataReference[];
  /** Pixels a side, even. */
  readonly box: number;
  /** Packed poses, one for each image in the order of `particles`. */
  readonly poses: Float64Array;
  /** Weights of the images; 0 excludes an image. */
  readonly weights: Float64Array;
  /** Rotations of the particle's point group, 9 numbers each, row by row; the identity among them. */
  readonly symmetry: Float64Array;
  /** Largest frequency of the volume (exclusive), in cycles per box; at most box/2. */
  readonly maxRadius: number;
};

/** The partial volume in the form of `SliceSum.pack`, and the number of its images. */
type InsertOutput = { readonly packed: Float32Array; readonly inserted: number };

/**
 * Radius of the packed sphere, in samples of the padded transform: two more than slices reach, so that interpolation reads no
 * sample outside.
 */
export function packedRadius(box: number, maxRadius: number): number {
  return Math.min(maxRadius, box / 2) * (paddedSize(box) / box) + 2;
}

/** The first half of direct Fourier inversion: adds every particle's central slice to a weighted sum. */
export default async function insert(input: InsertInput, ctx: KernelContext): Promise<InsertOutput> {
  checkBox(input.box);
  checkMaxRadius(input.maxRadius);
  checkFinite("poses", input.poses);
  checkFinite("weights", input.weights);
  checkRotations("symmetry", input.symmetry);
  const stacks = await readStacks(ctx, input.particles, input.box);
  const counts = [input.poses.length / poseLength, input.weights.length];
  const images = stacks.reduce((sum, { length }) => sum + length, 0) / input.box ** 2;
  if (counts.some((count) => count !== images))
    throw new RangeError(
      `${images} images with ${counts.join(" poses and ")} weights; one of each was expected`,
    );
  return withEngine((engine) => insertAll(engine, stacks, input, ctx));
}

/** Adds two partial volumes of one size and radius. */
export function combine(a: InsertOutput, b: InsertOutput): InsertOutput {
  const { packed } = a;
  for (let i = 0; i < packed.length; i++) packed[i]! += b.packed[i]!;
  return { packed, inserted: a.inserted + b.inserted };
}

function insertAll(
  engine: Engine,
  stacks: readonly Float32Array[],
  { box, poses, weights, symmetry, maxRadius }: InsertInput,
  ctx: KernelContext,
): InsertOutput {
  const padded = paddedSize(box);
  const sum = new SliceSum(engine, padded);
  const slicer = new ParticleSlicer(engine, box, maxRadius);
  const group = operators(symmetry);
  const count = poses.length / poseLength;
  let inserted = 0;
  let index = 0;
  for (const images of stacks) {
    for (let at = 0; at < images.length; at += box * box, index++) {
      const weight = weights[index]!;
      if (weight === 0) continue;
      const { rot, tilt, psi, originX, originY } = poseAt(poses, index);
      slicer.set(images.subarray(at, at + box * box), originX, originY);
      const matrix = eulerMatrix(rot, tilt, psi);
      for (const operator of group) sum.add(slicer.values, slicer.band, multiply(matrix, operator), weight);
      inserted++;
      ctx.progress((index + 1) / count);
    }
  }
  return { packed: sum.pack(packedRadius(box, maxRadius)), inserted };
}

/** Makes the central slices of particles. */
class ParticleSlicer {
  readonly band;
  /** Address of the slice: the particle's centred transform, shifted by its origin, on the band. */
  readonly values;
  readonly #engine: Engine;
  readonly #box: number;
  readonly #padded: number;
  readonly #transform: RealTransform;
  readonly #phases: PhaseTables;
  readonly #half: number;
  readonly #background: Background;

  constructor(engine: Engine, box: number, maxRadius: number) {
    const padded = paddedSize(box);
    this.#engine = engine;
    this.#box = box;
    this.#padded = padded;
    this.band = putBand(engine, makeBand(padded, 0, maxRadius * (padded / box)));
    this.values = takeValues(engine, this.band);
    this.#transform = new RealTransform(engine, padded);
    this.#phases = new PhaseTables(engine, padded);
    this.#half = engine.take(4 * halfLength2(padded));
    this.#background = new Background(box, box / 2);
  }

  /**
   * Pads an image with zeros, so that its slice is sampled as finely as the cube, without holes near the origin. The image's
   * border gets mean 0: without that, the edge between a grey image and the zeros would appear in both half maps, which would
   * then agree on it.
   */
  set(image: Float32Array, originX: number, originY: number): void {
    const [box, padded] = [this.#box, this.#padded];
    const offset = (padded - box) / 2;
    const field = this.#engine.floats(this.#half, halfLength2(padded)).fill(0);
    const mean = this.#background.meanOf(image);
    for (let y = 0, from = 0; y < box; y++) {
      const to = (y + offset) * (padded + 2) + offset;
      for (let x = 0; x < box; x++, from++) field[to + x] = image[from]! - mean;
    }
    this.#transform.forward2(this.#half, { filled: [offset, offset + box] });
    const { offsets, phases, count } = this.band;
    const { call } = this.#engine;
    call.gatherBand(this.#half, offsets, count, this.values);
    this.#phases.set(-originX, -originY);
    call.shiftBand(this.values, phases, count, this.#phases.alongX, this.#phases.alongY);
  }
}

function operators(packed: Float64Array): Matrix3[] {
  return Array.from(
    { length: packed.length / 9 },
    (_, i) => Array.from(packed.subarray(9 * i, 9 * i + 9)) as unknown as Matrix3,
  );
}
