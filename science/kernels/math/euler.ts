import { atan2, cos, length, sin } from "./trigonometry.ts";

/** A rotation matrix, row by row. */
export type Matrix3 = readonly [number, number, number, number, number, number, number, number, number];

/** Orientation and origin of a particle image, as RELION 3.1 defines them. */
export interface Pose {
  /** Euler angles, ZYZ, degrees. */
  readonly rot: number;
  readonly tilt: number;
  readonly psi: number;
  /** Shift that moves the particle to the centre of the image, pixels (`rlnOriginX/YAngst` divided by the pixel size). */
  readonly originX: number;
  readonly originY: number;
}

const radians = Math.PI / 180;

/**
 * The matrix of RELION's Euler angles, `Rz(psi)·Ry(tilt)·Rz(rot)`: it maps a vector of the volume into the frame of the image.
 * The rows of the matrix are the image's x axis, y axis and viewing direction in the volume, so the central slice of the image has the
 * volume's frequencies `u·row0 + v·row1`. Heymann, Chagoyen & Belnap, J. Struct. Biol. 151 (2005) 196.
 *
 * @param rot - degrees
 * @param tilt - degrees
 * @param psi - degrees
 */
export function eulerMatrix(rot: number, tilt: number, psi: number): Matrix3 {
  const ca = cos(rot * radians);
  const sa = sin(rot * radians);
  const cb = cos(tilt * radians);
  const sb = sin(tilt * radians);
  const cg = cos(psi * radians);
  const sg = sin(psi * radians);
  return [
    cg * cb * ca - sg * sa,
    cg * cb * sa + sg * ca,
    -cg * sb,
    -sg * cb * ca - cg * sa,
    -sg * cb * sa + cg * ca,
    sg * sb,
    sb * ca,
    sb * sa,
    cb,
  ];
}

/** The angles of a matrix of {@link eulerMatrix}: rot and psi in (−180, 180], tilt in [0, 180]; degrees. */
export function eulerAngles(m: Matrix3): { rot: number; tilt: number; psi: number } {
  const sinTilt = length(m[6], m[7]);
  const tilt = atan2(sinTilt, m[8]) / radians;
  // At the poles only rot ± psi is determined, so rot is set to zero.
  if (sinTilt < 1e-9) return { rot: 0, tilt, psi: atan2(m[1], m[4]) / radians };
  return { rot: atan2(m[7], m[6]) / radians, tilt, psi: atan2(m[5], -m[2]) / radians };
}

/** `a·b`. */
export function multiply(a: Matrix3, b: Matrix3): Matrix3 {
  const cell = (row: 0 | 3 | 6, column: 0 | 1 | 2): number =>
    a[row] * b[column] + a[(row + 1) as 1] * b[(column + 3) as 3] + a[(row + 2) as 2] * b[(column + 6) as 6];
  return [
    cell(0, 0),
    cell(0, 1),
    cell(0, 2),
    cell(3, 0),
    cell(3, 1),
    cell(3, 2),
    cell(6, 0),
    cell(6, 1),
    cell(6, 2),
  ];
}

/** The rotation about a vector by its length (Rodrigues), degrees. */
export function rotationAbout(x: number, y: number, z: number): Matrix3 {
  const degrees = length(x, y, z);
  if (degrees === 0) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [a, b, c] = [x / degrees, y / degrees, z / degrees];
  const [cosine, sine] = [cos(degrees * radians), sin(degrees * radians)];
  const t = 1 - cosine;
  return [
    t * a * a + cosine,
    t * a * b - sine * c,
    t * a * c + sine * b,
    t * a * b + sine * c,
    t * b * b + cosine,
    t * b * c - sine * a,
    t * a * c - sine * b,
    t * b * c + sine * a,
    t * c * c + cosine,
  ];
}

/** Angle of the rotation between two orientations, degrees. */
export function angleBetween(a: Matrix3, b: Matrix3): number {
  let trace = 0;
  for (let i = 0; i < 9; i++) trace += a[i as 0] * b[i as 0];
  return Math.acos(Math.min(1, Math.max(-1, (trace - 1) / 2))) / radians;
}
