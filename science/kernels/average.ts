import type { DataReference } from "../../shared/data-reference.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import { Background } from "./math/background.ts";
import { readImages } from "./math/blobs.ts";
import { checkRange, checkRings, checkShifts, checkWhole, type SearchParameters } from "./math/checks.ts";
import { polarGrid } from "./math/polar.ts";
import { RotationalSearch, shiftGrid, type Match } from "./math/rotational-search.ts";
import { addAligned } from "./math/transform-image.ts";
import { withEngine, type Engine } from "./wasm/engine.ts";

/** A class to align and average. */
type AverageInput = SearchParameters & {
  /** The class's images: `box`² 32-bit pixels each, x fastest. */
  readonly particles: readonly DataReference[];
  /** Reference of the first round; null: the class makes its own, from pairs of particles, pairs of pairs, and so on. */
  readonly reference: DataReference | null;
  readonly mirror: boolean;
  /** Rounds of alignment and averaging, at least 1. */
  readonly iterations: number;
  /** The part of the particles, best-matching first, in each average; above 0, at most 1. */
  readonly keep: number;
};

/**
 * Numbers of one particle's alignment: score, origin x and y (pixels), psi (degrees), mirror (0 or 1), in the average (0 or 1).
 */
export const alignmentLength = 6;

type AverageOutput = {
  /** `box`² pixels; the background of each particle has mean 0 and variance 1. */
  readonly average: Float32Array;
  /** The alignment of each particle to the average before the last; its numbers have the meaning of `Match`. */
  readonly alignments: Float64Array;
};

/**
 * Factor of finer angles: with four times the band's angles a step is 1.4° at most, which blurs the rim of a particle of 30
 * pixels' radius by less than half a pixel.
 */
export const finerAngles = 4;

/** A larger number of rounds can only be a mistake. */
const mostIterations = 1000;

/** A checkpoint must fit into 256 KiB. */
const largestCheckpoint = 200_000;

/** Iterative alignment and averaging of a class, after EMAN2's `e2classaverage.py`. */
export default async function average(input: AverageInput, ctx: KernelContext): Promise<AverageOutput> {
  const { box } = input;
  checkRings(box, input.minRing, input.maxRing, input.particleRadius);
  checkShifts(input.shiftRadius, input.shiftStep);
  checkWhole("iterations", input.iterations, 1, mostIterations);
  checkRange("keep", input.keep, Number.MIN_VALUE, 1);
  const stack = await readImages(ctx, input.particles, box);
  const reference = input.reference ? await readImages(ctx, [input.reference], box, "reference") : undefined;
  return withEngine((engine) => iterate(engine, input, ctx, stack, reference));
}

function iterate(
  engine: Engine,
  input: AverageInput,
  ctx: KernelContext,
  stack: Float32Array,
  given: Float32Array | undefined,
): AverageOutput {
  const { box, iterations } = input;
  const area = box * box;
  const background = new Background(box, input.particleRadius);
  const everywhere = new Background(box, box);
  const particles = Array.from({ length: stack.length / area }, (_, i) =>
    normalised(stack.subarray(i * area, (i + 1) * area), background, everywhere),
  );
  const grid = polarGrid(box, input.minRing, input.maxRing, input.particleRadius);
  const shifts = shiftGrid(input.shiftRadius, input.shiftStep);
  const search = new RotationalSearch(engine, grid, shifts, { mirror: input.mirror, finer: finerAngles });
  const matchTo = (reference: Float32Array): ((particle: Float32Array) => Match) => {
    search.setReferences(reference);
    return (particle) => {
      search.setParticle(particle);
      return search.matches()[0]!;
    };
  };

  const before = ctx.resume as { round: number; reference: Float32Array } | undefined;
  const first = before?.round ?? 0;
  let reference = before?.reference ?? given ?? bootstrap(particles, box, matchTo);
  let alignments = new Float64Array();
  for (let round = first; round < iterations; round++) {
    const match = matchTo(reference);
    const matches = particles.map((particle, i) => {
      ctx.progress((round + (i + 1) / particles.length) / iterations);
      return match(particle);
    });
    const kept = bestPart(matches, input.keep);
    reference = mean(particles, box, matches, kept);
    alignments = packAlignments(matches, kept);
    if (4 * area < largestCheckpoint && round + 1 < iterations)
      ctx.checkpoint({ round: round + 1, reference });
  }
  return { average: reference, alignments };
}

/**
 * Makes a reference from the particles alone: averages them in pairs, the second aligned to the first, then the averages in
 * pairs, until a single average is left (as in Penczek, Radermacher & Frank, Ultramicroscopy 40 (1992) 33, in tree order).
 */
function bootstrap(
  particles: readonly Float32Array[],
  box: number,
  matchTo: (reference: Float32Array) => (particle: Float32Array) => Match,
): Float32Array {
  let level: Float32Array[] = particles.map((particle) => particle.slice());
  while (level.length > 1) {
    const next: Float32Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [sum, other] = [level[i]!, level[i + 1]];
      if (other) addAligned(other, box, matchTo(sum)(other), sum);
      next.push(sum);
    }
    level = next;
  }
  return level[0] ?? new Float32Array(box * box);
}

/**
 * Scales an image to a background of mean 0 and variance 1; with a flat background, as around a masked particle, the image
 * itself to variance 1 about that background.
 */
function normalised(image: Float32Array, background: Background, everywhere: Background): Float32Array {
  const mean = background.meanOf(image);
  const scale = 1 / (background.deviationOf(image, mean) || everywhere.deviationOf(image, mean) || 1);
  return image.map((value) => (value - mean) * scale);
}

/** Indices of the best-scoring part of the particles, at least one particle. */
function bestPart(matches: readonly Match[], part: number): Set<number> {
  const order = matches.map((_, i) => i).sort((a, b) => matches[b]!.score - matches[a]!.score || a - b);
  return new Set(order.slice(0, Math.max(1, Math.round(part * order.length))));
}

function mean(
  particles: readonly Float32Array[],
  box: number,
  matches: readonly Match[],
  kept: ReadonlySet<number>,
): Float32Array {
  const sum = new Float64Array(box * box);
  particles.forEach((particle, i) => {
    if (kept.has(i)) addAligned(particle, box, matches[i]!, sum);
  });
  return Float32Array.from(sum, (value) => value / kept.size);
}

function packAlignments(matches: readonly Match[], kept: ReadonlySet<number>): Float64Array<ArrayBuffer> {
  return Float64Array.from(
    matches.flatMap(({ score, originX, originY, psi, mirror }, i) => [
      score,
      originX,
      originY,
      psi,
      mirror ? 1 : 0,
      kept.has(i) ? 1 : 0,
    ]),
  );
}
