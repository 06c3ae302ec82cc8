import type { DataReference } from "../../shared/data-reference.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { readImages } from "./math/blobs.ts";
import { mostCandidates, packCandidates, type Candidate } from "./math/candidates.ts";
import { checkFinite, checkWhole, type SearchParameters } from "./math/checks.ts";
import { polarGrid } from "./math/polar.ts";
import { RotationalSearch, shiftGrid } from "./math/rotational-search.ts";
import { withEngine } from "./wasm/engine.ts";

/** A block of the similarity matrix: particles × references, searched over in-plane rotation and shift. */
type AlignInput = SearchParameters & {
  /** Images of `box`² 32-bit pixels, x fastest. */
  readonly particles: readonly DataReference[];
  /** Reference projections in the same form; their in-plane angle is 0. */
  readonly references: readonly DataReference[];
  /** Pairs of rot and tilt, degrees, one pair for each reference. */
  readonly views: Float64Array;
  /** Index of the block's first reference in the whole set, so that candidates of all blocks are numbered alike. */
  readonly firstReference: number;
  /** Number of candidates of each particle, each from another reference. */
  readonly keep: number;
};

/** `keep` candidates of every particle, best first, packed (math/candidates.ts). */
type AlignOutput = Float64Array;

/**
 * Projection matching over all in-plane rotations at once: for every shift of the particle and every reference, one sum over
 * rings and one short inverse transform give the correlation at all angles.
 *
 * 25 particles of 64² pixels against 100 references, 29 shifts and 64 angles, in the band up to 30 Å, take 8.9 ms on one core.
 */
export default async function align(input: AlignInput, ctx: KernelContext): Promise<AlignOutput> {
  const { box } = input;
  const area = box * box;
  const grid = polarGrid(box, input.minRing, input.maxRing, input.particleRadius);
  const shifts = shiftGrid(input.shiftRadius, input.shiftStep);
  checkWhole("keep", input.keep, 1, mostCandidates);
  checkFinite("views", input.views);
  const references = await readImages(ctx, input.references, box, "reference");
  if (references.length !== (input.views.length / 2) * area)
    throw new RangeError(`${references.length / area} references with ${input.views.length / 2} views`);
  const images = await readImages(ctx, input.particles, box);
  return withEngine((engine) => {
    const search = new RotationalSearch(engine, grid, shifts);
    search.setReferences(references);
    const count = images.length / area;
    const found: Candidate[][] = [];
    for (let i = 0; i < count; i++) {
      search.setParticle(images.subarray(i * area, (i + 1) * area));
      found.push(bestOf(search, input));
      ctx.progress((i + 1) / count);
    }
    return packCandidates(found, input.keep);
  });
}

/** The best rotation and shift for each reference, reduced to the `keep` best references. */
function bestOf(search: RotationalSearch, { keep, views, firstReference }: AlignInput): Candidate[] {
  const matches = search.matches().map((match, index) => ({ ...match, index }));
  matches.sort((a, b) => b.score - a.score);
  return matches.slice(0, keep).map(({ index, score, psi, originX, originY }) => ({
    rot: views[2 * index]!,
    tilt: views[2 * index + 1]!,
    psi,
    originX,
    originY,
    score,
    reference: firstReference + index,
  }));
}
