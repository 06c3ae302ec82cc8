import type { Match } from "../../../science/kernels/math/rotational-search.ts";

/**
 * Adds a particle to an image in the frame of its reference: the particle is moved by its origin, flipped when it is a mirror
 * image, and rotated back by psi. Cubic convolution (Keys, IEEE Trans. ASSP 29 (1981) 1153), which blurs far less than bilinear
 * interpolation; pixels outside count as 0.
 *
 * @param image - `box`² pixels
 * @param out - `box`² pixels, to which the particle is added
 */
export function addAligned(
  image: Float32Array,
  box: number,
  match: Pick<Match, "psi" | "originX" | "originY" | "mirror">,
  out: Float64Array | Float32Array,
): void {
  const half = box / 2;
  const cos = Math.cos((match.psi * Math.PI) / 180);
  const sin = Math.sin((match.psi * Math.PI) / 180);
  const hand = match.mirror ? -1 : 1;
  const wx = new Float64Array(4);
  const wy = new Float64Array(4);
  for (let row = 0, at = 0; row < box; row++) {
    for (let column = 0; column < box; column++, at++) {
      const x = column - half;
      const y = row - half;
      const fromX = hand * (x * cos + y * sin) - match.originX + half;
      const fromY = y * cos - x * sin - match.originY + half;
      out[at]! += interpolate(image, box, fromX, fromY, wx, wy);
    }
  }
}

function interpolate(
  image: Float32Array,
  box: number,
  x: number,
  y: number,
  wx: Float64Array,
  wy: Float64Array,
): number {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  keysWeights(x - x0, wx);
  keysWeights(y - y0, wy);
  let sum = 0;
  for (let j = 0; j < 4; j++) {
    const row = y0 + j - 1;
    if (row < 0 || row >= box) continue;
    for (let i = 0; i < 4; i++) {
      const column = x0 + i - 1;
      if (column >= 0 && column < box) sum += wy[j]! * wx[i]! * image[row * box + column]!;
    }
  }
  return sum;
}

/** Weights of the samples at −1, 0, 1, 2 for a point at `t` in [0, 1). */
function keysWeights(t: number, out: Float64Array): void {
  const t2 = t * t;
  const t3 = t2 * t;
  out[0] = -0.5 * t3 + t2 - 0.5 * t;
  out[1] = 1.5 * t3 - 2.5 * t2 + 1;
  out[2] = -1.5 * t3 + 2 * t2 + 0.5 * t;
  out[3] = 0.5 * t3 - 0.5 * t2;
}
