import { describe, expect, test } from "vitest";
import { fftPlan, nextFastSize } from "../../../science/kernels/math/fft-plan.ts";
import {
  forward2,
  forward3,
  halfLength2,
  halfLength3,
  inverse2,
  inverse3,
} from "../../../science/kernels/math/fft-real.ts";
import { withEngine } from "../../../science/kernels/wasm/engine.ts";
import { seededRandom } from "../../../shared/random.ts";
import * as reference from "../../support/reference/fft-real.ts";

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

/** Four transforms at once, each of another signal: the signals and the results. */
function transformFour(size: number): { data: Float64Array; out: Float64Array }[] {
  const signals = Array.from({ length: 4 }, (_, lane) =>
    randomArray(2 * size, `fft ${size} ${lane}`).map(Math.fround),
  );
  return withEngine((engine) => {
    const { at, a, b } = fftPlan(engine, size);
    const points = engine.floats(a, 8 * size);
    signals.forEach((data, lane) =>
      data.forEach((value, i) => (points[8 * (i >> 1) + 4 * (i & 1) + lane] = value)),
    );
    const to = engine.floats(engine.call.transform4(at, a, b), 8 * size);
    return signals.map((data, lane) => ({
      data,
      out: data.map((_, i) => to[8 * (i >> 1) + 4 * (i & 1) + lane]!),
    }));
  });
}

describe("one-dimensional transforms", () => {
  test.each([2, 4, 8, 64, 128, 3, 5, 6, 7, 12, 36, 100, 101, 120, 202])(
    "of %i points agree with the definition",
    (size) => {
      // Errors of 32 bits grow with the number of stages, and with the root of a large prime factor.
      for (const { data, out } of transformFour(size))
        expect(largestDifference(out, naive(data))).toBeLessThan(4e-7 * Math.sqrt(size) * 4);
    },
  );

  test("are padded to the next even size of the factors 2, 3 and 5", () => {
    expect([2, 63, 64, 200, 260, 262, 360, 514].map(nextFastSize)).toEqual([
      2, 64, 64, 200, 270, 270, 360, 540,
    ]);
  });

  test("of one point are refused", () => {
    expect(() => withEngine((engine) => fftPlan(engine, 1))).toThrow(/at least 2/);
  });
});

describe("real transforms", () => {
  test.each([8, 20, 30])("of an image of %i pixels have the phases of its middle pixel", (n) => {
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

  test.each([24, 26, 64, 100])("of an image of %i pixels agree with the reference implementation", (n) => {
    const image = Float32Array.from(randomArray(n * n, "image"));
    const [half, expected] = [new Float32Array(halfLength2(n)), new Float32Array(halfLength2(n))];
    forward2(image, n, half);
    reference.forward2(image, n, expected);
    expect(largestDifference(half, expected)).toBeLessThan(5e-7 * n);
    const [back, expectedBack] = [new Float32Array(n * n), new Float32Array(n * n)];
    inverse2(half, n, back);
    reference.inverse2(expected, n, expectedBack);
    expect(largestDifference(back, expectedBack)).toBeLessThan(5e-7);
  });

  test.each([10, 16])("of a cube of %i voxels agree with the reference implementation", (n) => {
    const cube = Float32Array.from(randomArray(n ** 3, "cube"));
    const [half, expected] = [new Float32Array(halfLength3(n)), new Float32Array(halfLength3(n))];
    forward3(cube, n, half);
    reference.forward3(cube, n, expected);
    expect(largestDifference(half, expected)).toBeLessThan(2e-6 * n);
    const [back, expectedBack] = [new Float32Array(n ** 3), new Float32Array(n ** 3)];
    inverse3(half, n, back);
    reference.inverse3(expected, n, expectedBack);
    expect(largestDifference(back, expectedBack)).toBeLessThan(5e-7);
  });
});
