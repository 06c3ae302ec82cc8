import type { Pose } from "./euler.ts";
import { poseLength } from "./poses.ts";

/** Numbers of one candidate in a packed list: its pose (poses.ts), its score (−1 … 1), the index of its reference. */
const candidateLength = poseLength + 2;

/** Most candidates of one particle; a handful is usual. */
export const mostCandidates = 1000;

/** A possible pose of a particle, with the agreement of the image and the reference in that pose. */
export interface Candidate extends Pose {
  /** Normalised correlation over the band, −1 … 1. */
  readonly score: number;
  readonly reference: number;
}

/** Packs candidates; a list shorter than `keep` repeats its worst. */
export function packCandidates(lists: readonly (readonly Candidate[])[], keep: number): Float64Array {
  const packed = new Float64Array(lists.length * keep * candidateLength);
  lists.forEach((list, i) => {
    for (let j = 0; j < keep; j++) {
      const candidate = list[Math.min(j, list.length - 1)];
      if (!candidate) throw new RangeError(`particle ${i} has no candidate`);
      const { rot, tilt, psi, originX, originY, score, reference } = candidate;
      packed.set([rot, tilt, psi, originX, originY, score, reference], (i * keep + j) * candidateLength);
    }
  });
  return packed;
}

/** Reads a packed list. */
export function unpackCandidates(packed: Float64Array, keep: number): Candidate[][] {
  const at = (index: number): Candidate => {
    const [rot, tilt, psi, originX, originY, score, reference] = packed.subarray(
      index * candidateLength,
      (index + 1) * candidateLength,
    );
    return {
      rot: rot!,
      tilt: tilt!,
      psi: psi!,
      originX: originX!,
      originY: originY!,
      score: score!,
      reference: reference!,
    };
  };
  const count = packed.length / (keep * candidateLength);
  return Array.from({ length: count }, (_, i) => Array.from({ length: keep }, (__, j) => at(i * keep + j)));
}
