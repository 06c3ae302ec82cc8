import { withEngine } from "../wasm/engine.ts";
import type { Match } from "./rotational-search.ts";
import { cos, sin } from "./trigonometry.ts";

/** Zeros around an image, so that interpolation reads no pixel outside. */
const margin = 4;

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
  { psi, originX, originY, mirror }: Pick<Match, "psi" | "originX" | "originY" | "mirror">,
  out: Float64Array | Float32Array,
): void {
  withEngine((engine) => {
    const side = box + 2 * margin;
    const [from, to] = [engine.take(4 * side * side), engine.take(4 * box * box)];
    const field = engine.floats(from, side * side).fill(0);
    for (let y = 0; y < box; y++)
      field.set(image.subarray(y * box, (y + 1) * box), (y + margin) * side + margin);
    const aligned = engine.floats(to, box * box).fill(0);
    const angle = (psi * Math.PI) / 180;
    const middle = box / 2 + margin;
    const hand = mirror ? -1 : 1;
    const turn = [cos(angle), sin(angle), hand, middle - originX, middle - originY] as const;
    engine.call.addAligned(from, side, to, box, ...turn);
    for (let i = 0; i < aligned.length; i++) out[i]! += aligned[i]!;
  });
}
