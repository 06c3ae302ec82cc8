import { Engine } from "../wasm/engine.ts";

/*
 * Trigonometry with the same bits on every client. The last bits of Math.sin and its like are left to the implementation, and
 * differ between Node 26 and Chromium 156 (seen in refined poses). Angles in radians.
 */

let engine: Engine | undefined;

function calls(): Engine["call"] {
  engine ??= new Engine();
  return engine.call;
}

/** Sine of an angle. */
export function sin(angle: number): number {
  return calls().sine(angle);
}

/** Cosine of an angle. */
export function cos(angle: number): number {
  return calls().cosine(angle);
}

/** Angle of the vector (`x`, `y`), −π … π. */
export function atan2(y: number, x: number): number {
  return calls().arcTangent(y, x);
}

/** Length of a vector. */
export function length(x: number, y: number, z = 0): number {
  return Math.sqrt(x * x + y * y + z * z);
}
