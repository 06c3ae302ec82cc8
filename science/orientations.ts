import { eulerAngles, type Matrix3, type Pose } from "./kernels/math/euler.ts";

/** A viewing direction, degrees. */
export interface View {
  readonly rot: number;
  readonly tilt: number;
}

/**
 * Viewing directions spread evenly over the sphere (Fibonacci lattice; González, Math. Geosci. 42 (2010) 49), restricted to one
 * asymmetric unit.
 *
 * @param step - about the distance between neighbours, degrees
 * @param operators - rotations of the particle's point group
 */
export function evenViews(step: number, operators: readonly Matrix3[]): View[] {
  const degrees = Math.PI / 180;
  const count = Math.max(2, Math.round((4 * Math.PI) / (step * degrees) ** 2));
  const golden = Math.PI * (3 - Math.sqrt(5));
  const views: View[] = [];
  for (let i = 0; i < count; i++) {
    const z = 1 - (2 * i + 1) / count;
    const around = golden * i;
    const r = Math.sqrt(1 - z * z);
    if (!isRepresentative([r * Math.cos(around), r * Math.sin(around), z], operators)) continue;
    const rot = Math.atan2(Math.sin(around), Math.cos(around));
    views.push({ rot: rot / degrees, tilt: Math.acos(z) / degrees });
  }
  return views;
}

/** The pose of a reference: a view, neither turned nor shifted in its plane. */
export function centredPose(view: View): Pose {
  return { ...view, psi: 0, originX: 0, originY: 0 };
}

type Vector = readonly [number, number, number];

/** Whether a direction represents its symmetry mates: it is the nearest of them to a fixed direction in general position. */
function isRepresentative(direction: Vector, operators: readonly Matrix3[]): boolean {
  const near = (v: Vector): number => 0.41 * v[0] + 0.28 * v[1] + 0.868 * v[2];
  const own = near(direction);
  return operators.every((m) => near(rotate(m, direction)) <= own + 1e-12);
}

function rotate(m: Matrix3, [x, y, z]: Vector): Vector {
  return [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];
}

/**
 * A random pose: orientation uniform over all rotations (Shoemake, Graphics Gems III (1992) 124), shift uniform in a disc.
 *
 * @param random - uniform in [0, 1)
 * @param maxShift - radius of the disc, pixels
 */
export function randomPose(random: () => number, maxShift: number): Pose {
  const [u, v, w] = [random(), 2 * Math.PI * random(), 2 * Math.PI * random()];
  const [a, b] = [Math.sqrt(1 - u), Math.sqrt(u)];
  const angles = eulerAngles(
    quaternionMatrix(a * Math.sin(v), a * Math.cos(v), b * Math.sin(w), b * Math.cos(w)),
  );
  const radius = maxShift * Math.sqrt(random());
  const direction = 2 * Math.PI * random();
  return { ...angles, originX: radius * Math.cos(direction), originY: radius * Math.sin(direction) };
}

function quaternionMatrix(x: number, y: number, z: number, w: number): Matrix3 {
  return [
    1 - 2 * (y * y + z * z),
    2 * (x * y - z * w),
    2 * (x * z + y * w),
    2 * (x * y + z * w),
    1 - 2 * (x * x + z * z),
    2 * (y * z - x * w),
    2 * (x * z - y * w),
    2 * (y * z + x * w),
    1 - 2 * (x * x + y * y),
  ];
}
