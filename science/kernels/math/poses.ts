import type { Pose } from "./euler.ts";

/** Numbers of one pose in a packed list: rot, tilt, psi (degrees), originX, originY (pixels). */
export const poseLength = 5;

/** Packs poses for inputs and outputs of kernels. */
export function packPoses(poses: readonly Pose[]): Float64Array {
  const packed = new Float64Array(poses.length * poseLength);
  poses.forEach(({ rot, tilt, psi, originX, originY }, i) =>
    packed.set([rot, tilt, psi, originX, originY], i * poseLength),
  );
  return packed;
}

/** A pose of a packed list. @throws RangeError when there is none at `index` */
export function poseAt(packed: Float64Array, index: number): Pose {
  const [rot, tilt, psi, originX, originY] = packed.subarray(index * poseLength, (index + 1) * poseLength);
  if (originY === undefined) throw new RangeError(`pose ${index} of ${packed.length / poseLength}`);
  return { rot: rot!, tilt: tilt!, psi: psi!, originX: originX!, originY };
}
