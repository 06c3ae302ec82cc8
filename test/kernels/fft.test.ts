import { describe, expect, test } from "vitest";
import { fft } from "../../shared/kernels/math/fft.ts";
import {
  forward2,
  forward3,
  halfLength2,
  halfLength3,
  inverse2,
  inverse3,
} from "../../shared/kernels/math/fft-real.ts";
import { seededRandom } from "../../shared/random.ts";

function randomArray(length: number, seed: string): Float64Array {
  const random = seededRandom(seed);
  return Float64Array.from({ length }, () => random() - 0.5);
}

/** The definition, term by term. */
function naive(data: Float64Array): Float64Array {
  const size = data.length / 2;
  const out = new Float64Array(data.length);
  for (let k = 0; k < size; k++)
    for (let j = 0; j < size; j++) {
      const angle = (-2 * Math.PI * k * j) / size;
      out[2 * k]! += data[2 * j]! * Math.cos(angle) - data[2 * j + 1]! * Math.sin(angle);
      out[2 * k + 1]! += data[2 * j]! * Math.sin(angle) + data[2 * j + 1]! * Math.cos(angle);
    }
  return out;
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

describe("one-dimensional transforms", () => {
  test.each([2, 4, 8, 64, 128, 3, 5, 12, 36, 100, 101])("of %i points agree with the definition", (size) => {
    const data = randomArray(2 * size, `fft ${size}`);
    const out = new Float64Array(2 * size);
    fft(size).forward(out, data);
    expect(largestDifference(out, naive(data))).toBeLessThan(1e-11 * size);
    const back = new Float64Array(2 * size);
    fft(size).inverse(back, out);
    expect(largestDifference(back, data)).toBeLessThan(1e-13 * size);
  });

  test("of one point are refused", () => {
    expect(() => fft(1)).toThrow(/at least 2/);
  });
});

describe("real transforms", () => {
  test.each([8, 20])("of an image of %i pixels have the phases of its middle pixel", (n) => {
    const image = Float32Array.from(randomArray(n * n, "image"));
    const half = new Float32Array(halfLength2(n));
    forward2(image, n, half);
    const expected = new Float64Array(halfLength2(n));
    for (let ky = 0; ky < n; ky++)
      for (let kx = 0; kx <= n / 2; kx++)
        for (let y = 0; y < n; y++)
          for (let x = 0; x < n; x++) {
            const angle = (-2 * Math.PI * (kx * (x - n / 2) + ky * (y - n / 2))) / n;
            const at = ky * (n + 2) + 2 * kx;
            expected[at]! += image[y * n + x]! * Math.cos(angle);
            expected[at + 1]! += image[y * n + x]! * Math.sin(angle);
          }
    expect(largestDifference(half, expected)).toBeLessThan(1e-5 * n);
    const back = new Float32Array(n * n);
    inverse2(half, n, back);
    expect(largestDifference(back, image)).toBeLessThan(1e-6);
  });

  test("of a cube: a shifted point is a plane wave, and the inverse gives the cube back", () => {
    const n = 12;
    const point = new Float32Array(n ** 3);
    const [px, py, pz] = [2, -3, 1];
    point[((pz + n / 2) * n + py + n / 2) * n + px + n / 2] = 1;
    const half = new Float32Array(halfLength3(n));
    forward3(point, n, half);
    for (const [kx, ky, kz] of [
      [0, 0, 0],
      [1, 0, 0],
      [2, 3, 5],
      [6, 11, 7],
    ] as const) {
      const angle = (-2 * Math.PI * (kx * px + ky * py + kz * pz)) / n;
      const at = (kz * n + ky) * (n + 2) + 2 * kx;
      expect(half[at]).toBeCloseTo(Math.cos(angle), 5);
      expect(half[at + 1]).toBeCloseTo(Math.sin(angle), 5);
    }
    const cube = Float32Array.from(randomArray(n ** 3, "cube"));
    forward3(cube, n, half);
    const back = new Float32Array(n ** 3);
    inverse3(half, n, back);
    expect(largestDifference(back, cube)).toBeLessThan(1e-6);
  });
});
