import type { Pose } from "./kernels/math/euler.ts";
import type { Compute } from "./compute.ts";
import { taskParticles } from "./stage-settings.ts";
import { imagesAt, putStack, type ImageStack } from "./stacks.ts";

/** Half of a data set. The halves are refined independently (Scheres & Chen, Nat. Methods 9 (2012) 853). */
export interface HalfSet {
  readonly stack: ImageStack;
  readonly poses: readonly Pose[];
  /** Positions of the half's particles in the whole data set. */
  readonly members: readonly number[];
}

/**
 * Splits particles into halves and puts the images of each where kernels can read them.
 * @param subsets - 1 or 2 for each particle; absent: particles alternate
 * @throws RangeError when a half is empty
 */
export async function halfSets(
  compute: Compute,
  images: Float32Array,
  box: number,
  poses: readonly Pose[],
  subsets?: readonly number[],
): Promise<[HalfSet, HalfSet]> {
  const half = async (subset: 1 | 2): Promise<HalfSet> => {
    const members = poses.map((_, i) => i).filter((i) => (subsets?.[i] ?? (i % 2) + 1) === subset);
    if (members.length === 0) throw new RangeError(`half ${subset} has no particles; both halves need some`);
    const own = imagesAt(images, box, members);
    return {
      stack: await putStack(compute, own, box, taskParticles(members.length, box)),
      poses: members.map((member) => poses[member]!),
      members,
    };
  };
  return [await half(1), await half(2)];
}
