// Rotation, shift and mirror of an image.

/**
 * Adds an image, rotated and moved, to another; cubic convolution (Keys, IEEE Trans. ASSP 29 (1981) 1153).
 *
 * @param image - `side` pixels a row: the image and a margin of `margin` zeros around it; pixels beyond count as zero
 * @param out - `box`² pixels, added to
 * @param cos - of the angle; the x axis is multiplied by `hand`
 * @param fromX - source of the middle pixel of `out`, in pixels of `image`
 */
export function addAligned(
  image: usize,
  side: u32,
  out: usize,
  box: u32,
  cos: f32,
  sin: f32,
  hand: f32,
  fromX: f32,
  fromY: f32,
): void {
  const half = <i32>(box / 2);
  const last = <f32>side - 3;
  for (let row = 0; row < <i32>box; row++) {
    const y = <f32>(row - half);
    for (let column = 0; column < <i32>box; column++, out += 4) {
      const x = <f32>(column - half);
      const sx = hand * (x * cos + y * sin) + fromX;
      const sy = y * cos - x * sin + fromY;
      if (!(sx >= 1 && sy >= 1 && sx < last && sy < last)) continue;
      const x0 = floor(sx);
      const y0 = floor(sy);
      const wx = keysWeights(sx - x0);
      const wy = keysWeights(sy - y0);
      const at = image + 4 * ((<u32>y0 - 1) * side + <u32>x0 - 1);
      const rowBytes = 4 * side;
      const upper = f32x4.add(
        f32x4.mul(v128.shuffle<f32>(wy, wy, 0, 0, 0, 0), v128.load(at)),
        f32x4.mul(v128.shuffle<f32>(wy, wy, 1, 1, 1, 1), v128.load(at + rowBytes)),
      );
      const lower = f32x4.add(
        f32x4.mul(v128.shuffle<f32>(wy, wy, 2, 2, 2, 2), v128.load(at + 2 * rowBytes)),
        f32x4.mul(v128.shuffle<f32>(wy, wy, 3, 3, 3, 3), v128.load(at + 3 * rowBytes)),
      );
      const taps = f32x4.mul(f32x4.add(upper, lower), wx);
      const pair = f32x4.add(taps, v128.shuffle<f32>(taps, taps, 2, 3, 0, 1));
      const sum = f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
      store<f32>(out, load<f32>(out) + sum);
    }
  }
}

/** Weights of the samples at −1, 0, 1, 2 for a point at `t` in [0, 1), by Horner's rule. */
function keysWeights(t: f32): v128 {
  const at = f32x4.splat(t);
  const cubic = f32x4.mul(f32x4(-0.5, 1.5, -1.5, 0.5), at);
  const square = f32x4.mul(f32x4.add(cubic, f32x4(1, -2.5, 2, -0.5)), at);
  return f32x4.add(f32x4.mul(f32x4.add(square, f32x4(-0.5, 0, 0.5, 0)), at), f32x4(0, 1, 0, 0));
}
