import { angleBetween, multiply, rotationAbout, type Matrix3 } from "./kernels/math/euler.ts";

/**
 * The rotations of a point group, in RELION's setting: the main axis along z, a twofold axis of D groups along x.
 *
 * @param name - `C1`, `C2` … or `D2`, `D3` …
 * @throws RangeError for another name
 */
export function symmetryOperators(name: string): Matrix3[] {
  const match = /^([CD])([1-9]\d?)$/i.exec(name);
  if (!match) throw new RangeError(`symmetry "${name}"; C1, C2, …, D2, D3, … were expected`);
  const order = Number(match[2]);
  const cyclic = Array.from({ length: order }, (_, i) => rotationAbout(0, 0, (360 * i) / order));
  if (match[1]!.toUpperCase() === "C") return cyclic;
  const flip = rotationAbout(180, 0, 0);
  return [...cyclic, ...cyclic.map((rotation) => multiply(rotation, flip))];
}

/** The smallest rotation between two orientations of a particle with these symmetry operators, degrees. */
export function orientationError(a: Matrix3, b: Matrix3, operators: readonly Matrix3[]): number {
  return Math.min(...operators.map((operator) => angleBetween(a, multiply(b, operator))));
}

/** Rotations in the form for kernels: 9 numbers each. */
export function packOperators(operators: readonly Matrix3[]): Float64Array {
  return Float64Array.from(operators.flat());
}
