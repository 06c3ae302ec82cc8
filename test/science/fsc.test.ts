import { expect, test } from "vitest";
import { filterVolume, fourierCrop, lowPass } from "../../science/fourier-filter.ts";
import { figureOfMerit, fourierShellCorrelation, fscAt, resolutionAt } from "../../science/fsc.ts";
import { addNoise, gaussian, meanVariance } from "../../science/noise.ts";
import { cropVolume, particleRadius, softSphere, type Volume } from "../../science/volume.ts";
import { seededRandom } from "../../shared/random.ts";
import { correlation, phantom } from "../support/phantom.ts";

function noise(size: number, seed: string): Volume {
  const normal = gaussian(seededRandom(seed));
  return { size, pixelSize: 2, data: Float32Array.from({ length: size ** 3 }, normal) };
}

test("a map correlates fully with itself, at any scale, and negatively with its negative", () => {
  const map = noise(20, "a");
  const scaled = { ...map, data: map.data.map((value) => 3 * value) };
  const negative = { ...map, data: map.data.map((value) => -value) };
  for (const value of fourierShellCorrelation(map, scaled).values) expect(value).toBeCloseTo(1, 5);
  for (const value of fourierShellCorrelation(map, negative).values.slice(1))
    expect(value).toBeCloseTo(-1, 5);
});

test("independent noise correlates as its number of samples lets it", () => {
  const { values } = fourierShellCorrelation(noise(48, "a"), noise(48, "b"));
  // A shell has 4π·r² samples, half of them independent, so the standard deviation is 1/√(2π·r²).
  values
    .slice(4)
    .forEach((value, i) => expect(Math.abs(value)).toBeLessThan(4 / Math.sqrt(2 * Math.PI * (i + 4) ** 2)));
});

test("signal with noise of equal power in both halves gives 0.5", () => {
  const [signal, a, b] = [noise(48, "signal"), noise(48, "a"), noise(48, "b")];
  const add = (other: Volume): Volume => ({ ...signal, data: signal.data.map((v, i) => v + other.data[i]!) });
  const { values } = fourierShellCorrelation(add(a), add(b));
  values.slice(10).forEach((value) => expect(Math.abs(value - 0.5)).toBeLessThan(0.1));
});

test("maps of different size are refused", () => {
  expect(() => fourierShellCorrelation(noise(8, "a"), noise(10, "a"))).toThrow(/cannot be compared/);
});

test("resolution is read where the curve first crosses, between shells", () => {
  const curve = { boxLength: 100, values: [1, 1, 0.9, 0.6, 0.4, 0.6, 0.1] };
  expect(resolutionAt(curve, 0.5)).toBeCloseTo(100 / 3.5, 9);
  expect(resolutionAt(curve, 0.05)).toBeCloseTo(100 / 6, 9);
  expect(fscAt(curve, 0.025)).toBeCloseTo(0.75, 9);
  const merit = figureOfMerit(curve);
  expect(merit(0.03)).toBeCloseTo(Math.sqrt((2 * 0.6) / 1.6), 9);
  expect(merit(0.06)).toBe(0);
});

test("a low-pass filter leaves what is coarse and removes what is fine", () => {
  const map = noise(32, "filter");
  const filtered = filterVolume(map, lowPass(10));
  const { values } = fourierShellCorrelation(map, filtered);
  // The box is 64 Å, so 10 Å is shell 6.4.
  expect(values[5]).toBeCloseTo(1, 4);
  const fine = filterVolume(filtered, (frequency) => (frequency > 1 / 9 ? 1 : 0));
  expect(Math.max(...fine.data.map(Math.abs))).toBeLessThan(1e-5);
});

test("cutting the transform resamples a map without moving it", () => {
  const map = phantom(40);
  const coarse = fourierCrop(map, 30);
  expect(coarse.pixelSize).toBeCloseTo((2 * 40) / 30, 9);
  const back = fourierCrop(coarse, 40);
  expect(correlation(back.data, map.data)).toBeGreaterThan(0.9999);
  expect(Math.max(...coarse.data) / Math.max(...map.data)).toBeCloseTo(1, 1);
});

test("cropping keeps the origin, both ways", () => {
  const map = phantom(32);
  const middle = (volume: Volume): number =>
    volume.data[((volume.size / 2) * volume.size + volume.size / 2) * volume.size + volume.size / 2]!;
  expect(middle(cropVolume(map, 20))).toBe(middle(map));
  expect(middle(cropVolume(map, 50))).toBe(middle(map));
  expect(cropVolume(cropVolume(map, 50), 32).data).toEqual(map.data);
  expect(particleRadius(map)).toBeGreaterThan(6);
  expect(particleRadius(map)).toBeLessThan(12);
  expect(() => cropVolume(map, 21)).toThrow(/even/);
});

test("a soft sphere is 1 inside, 0 outside and one half in between", () => {
  const mask = softSphere(32, 8, 4);
  const along = (distance: number): number => mask[(16 * 32 + 16) * 32 + 16 + distance]!;
  expect([along(0), along(8), along(10), along(12), along(15)]).toEqual([1, 1, expect.closeTo(0.5, 6), 0, 0]);
});

test("noise has the strength that the ratio says", () => {
  const pixels = 64 * 64;
  const signal = Float32Array.from({ length: 4 * pixels }, (_, i) => Math.sin(i / 7));
  const noisy = addNoise(signal, pixels, 0.25, seededRandom("n"));
  // Noise of variance 1 is added to a signal of variance 0.25.
  expect(meanVariance(noisy, pixels)).toBeCloseTo(1.25, 1);
  const scale = 0.5 / Math.sqrt(meanVariance(signal, pixels));
  const rest = noisy.map((value, i) => value - signal[i]! * scale);
  expect(meanVariance(rest, pixels)).toBeGreaterThan(0.95);
  expect(meanVariance(rest, pixels)).toBeLessThan(1.05);
});
