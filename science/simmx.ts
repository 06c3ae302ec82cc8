import { elementLength } from "./kernels/simmx.ts";
import { checkSearch, type SearchParameters } from "./kernels/math/checks.ts";
import type { Match } from "./kernels/math/rotational-search.ts";
import type { Compute } from "./compute.ts";
import { searchMemoryMb } from "./memory.ts";
import { imagesOf, type ImageStack } from "./stacks.ts";
import { comparisonBlocks, type ComparisonBlock, type StageOptions } from "./stages.ts";

/** Parameters of a comparison of images; lengths in pixels, rings in cycles per box. */
export interface ComparisonSettings extends Omit<SearchParameters, "box"> {
  readonly mirror: boolean;
}

/** A similarity matrix: the match of every particle (row) to every reference (column). */
export interface SimilarityMatrix {
  readonly references: number;
  readonly particles: number;
  /**
   * The numbers of `Match`, a matrix each, references fastest: score, origin x, origin y (pixels), psi (degrees), mirror (0 or
   * 1).
   */
  readonly score: Float32Array;
  readonly originX: Float32Array;
  readonly originY: Float32Array;
  readonly psi: Float32Array;
  readonly mirror: Float32Array;
}

/** Compares every particle with every reference, in tasks of `particleBlock` × `referenceBlock`. */
export async function similarityMatrix(
  compute: Compute,
  references: ImageStack,
  particles: ImageStack,
  options: StageOptions & ComparisonSettings & ComparisonBlock,
): Promise<SimilarityMatrix> {
  const { minRing, maxRing, particleRadius, shiftRadius, shiftStep, mirror } = options;
  const search = { minRing, maxRing, particleRadius, shiftRadius, shiftStep, mirror, box: particles.box };
  checkSearch(search);
  const memoryMb = searchMemoryMb(search, options.particleBlock, options.referenceBlock);
  const blocks = comparisonBlocks(particles, references, options);
  const inputs = blocks.map(({ start, end, first, last }) => ({
    particles: imagesOf(particles, start, end),
    references: imagesOf(references, first, last),
    ...search,
  }));
  const matrix = (): Float32Array => new Float32Array(particles.count * references.count);
  const matrices = [matrix(), matrix(), matrix(), matrix(), matrix()] as const;
  for await (const { index, output } of compute.map("simmx", inputs, { ...options, memoryMb })) {
    const { start, end, first, last } = blocks[index]!;
    let from = 0;
    for (let particle = start; particle < end; particle++)
      for (let reference = first; reference < last; reference++, from += elementLength)
        matrices.forEach(
          (values, i) => (values[particle * references.count + reference] = output[from + i]!),
        );
  }
  const [score, originX, originY, psi, hand] = matrices;
  return {
    references: references.count,
    particles: particles.count,
    score,
    originX,
    originY,
    psi,
    mirror: hand,
  };
}

/** The best match of a particle, and its reference. */
export interface BestMatch extends Match {
  readonly reference: number;
}

/** The best reference of each particle; the first of equals. */
export function bestMatches(matrix: SimilarityMatrix): BestMatch[] {
  const { references, particles, score } = matrix;
  return Array.from({ length: particles }, (_, particle) => {
    let best = particle * references;
    for (let at = best + 1; at < (particle + 1) * references; at++) if (score[at]! > score[best]!) best = at;
    return {
      reference: best - particle * references,
      score: score[best]!,
      originX: matrix.originX[best]!,
      originY: matrix.originY[best]!,
      psi: matrix.psi[best]!,
      mirror: matrix.mirror[best] === 1,
    };
  });
}
