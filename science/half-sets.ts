import type { Pose } from "./kernels/math/euler.ts";
import type { Compute } from "./compute.ts";
import { taskParticles } from "./stage-settings.ts";
import { putStack, type ImageStack } from "./stacks.ts";

/** Half of a data set. The halves are refined independently (Scheres & Chen, Nat. Methods 9 (2012) 853). */
export interface HalfSet {
  /** The half's images where kernels can read them. Those of the second half are put while kernels work on the first. */
  readonly stack: Promise<ImageStack>;
  readonly poses: readonly Pose[];
  /** Positions of the half's particles in the whole data set. */
  readonly members: readonly number[];
}

/**
 * Splits particles into halves and puts the images of each where kernels can read them.
 * @param subsets - 1 or 2 for each particle; absent: particles alternate
 * @throws RangeError when a half is empty
 */
export function halfSets(
  compute: Compute,
  images: Float32Array,
  box: number,
  poses: readonly Pose[],
  subsets?: readonly number[],
): [HalfSet, HalfSet] {
  const membersOf = (subset: 1 | 2): number[] => {
    const members = poses.map((_, i) => i).filter((i) => (subsets?.[i] ?? (i % 2) + 1) === subset);
    if (members.length === 0) throw new RangeError(`half ${subset} has no particles; both halves need some`);
    return members;
  };
  let before: Promise<unknown> = Promise.resolve();
  const half = (members: number[]): HalfSet => {
    const stack = before.then(() =>
      putStack(compute, images, box, { task: taskParticles(members.length, box), members }),
    );
    // A failure is for the stage that needs the stack.
    stack.catch(() => undefined);
    before = stack;
    return { stack, poses: members.map((member) => poses[member]!), members };
  };
  const [first, second] = [membersOf(1), membersOf(2)];
  return [half(first), half(second)];
}
