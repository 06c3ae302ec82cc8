import { resolutionAt } from "../fsc.ts";
import { orientationError, symmetryOperators } from "../symmetry.ts";
import { eulerMatrix, type Pose } from "../kernels/math/euler.ts";
import { betaGal } from "./betagal.ts";
import type { Experiment } from "./experiment.ts";

/** Quality of the experiment's results. */
export interface Measures {
  /** Angle between true and recovered orientation, modulo the symmetry, degrees: median and 90th percentile. */
  readonly angleMedian: number;
  readonly angle90: number;
  /** Share of particles within 10°. */
  readonly within10: number;
  /** Distance between true and recovered shift, Å. */
  readonly shiftMedian: number;
  /** Resolution against the true map and between the halves, Å. */
  readonly truthResolution: number;
  readonly halfResolution: number;
}

/** Compares the recovered poses and map with the true ones. */
export function measure({ truth, truePoses, poses, truthFsc, halfFsc }: Experiment): Measures {
  const operators = symmetryOperators(betaGal.symmetry);
  const matrix = ({ rot, tilt, psi }: Pose): ReturnType<typeof eulerMatrix> => eulerMatrix(rot, tilt, psi);
  const angles = poses.map((pose, i) => orientationError(matrix(pose), matrix(truePoses[i]!), operators));
  const shifts = poses.map((pose, i) =>
    Math.hypot(pose.originX - truePoses[i]!.originX, pose.originY - truePoses[i]!.originY),
  );
  return {
    angleMedian: quantile(angles, 0.5),
    angle90: quantile(angles, 0.9),
    within10: angles.filter((angle) => angle < 10).length / angles.length,
    shiftMedian: quantile(shifts, 0.5) * truth.pixelSize,
    truthResolution: resolutionAt(truthFsc, 0.5),
    halfResolution: resolutionAt(halfFsc, 0.143),
  };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
