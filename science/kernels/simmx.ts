import type { DataReference } from "../../shared/data-reference.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { readImages } from "./math/blobs.ts";
import type { SearchParameters } from "./math/checks.ts";
import { polarGrid } from "./math/polar.ts";
import { RotationalSearch, shiftGrid } from "./math/rotational-search.ts";
import { withEngine } from "./wasm/engine.ts";

/** A block of a similarity matrix: every particle of one run against every reference of another. */
type SimmxInput = SearchParameters & {
  /** Images of `box`² 32-bit pixels, x fastest. */
  readonly particles: readonly DataReference[];
  readonly references: readonly DataReference[];
  /** Whether the mirror image of each particle is tried too. */
  readonly mirror: boolean;
};

/** Numbers of one element of the matrix: score (−1 … 1), origin x and y (pixels), psi (degrees), mirror (0 or 1). */
export const elementLength = 5;

/** The block's elements, a row for each particle, references fastest; the numbers have the meaning of `Match`. */
type SimmxOutput = Float32Array;

/**
 * Similarity and best alignment, as `e2simmx.py --saveali` of EMAN2 computes them, by one search over all rotations, shifts and
 * both hands.
 */
export default async function simmx(input: SimmxInput, ctx: KernelContext): Promise<SimmxOutput> {
  const { box } = input;
  const area = box * box;
  const grid = polarGrid(box, input.minRing, input.maxRing, input.particleRadius);
  const shifts = shiftGrid(input.shiftRadius, input.shiftStep);
  const references = await readImages(ctx, input.references, box, "reference");
  const images = await readImages(ctx, input.particles, box);
  return withEngine((engine) => {
    const search = new RotationalSearch(engine, grid, shifts, { mirror: input.mirror });
    search.setReferences(references);
    const count = images.length / area;
    const elements = new Float32Array(count * (references.length / area) * elementLength);
    let at = 0;
    for (let i = 0; i < count; i++) {
      search.setParticle(images.subarray(i * area, (i + 1) * area));
      for (const { score, originX, originY, psi, mirror } of search.matches()) {
        elements.set([score, originX, originY, psi, mirror ? 1 : 0], at);
        at += elementLength;
      }
      ctx.progress((i + 1) / count);
    }
    return elements;
  });
}
