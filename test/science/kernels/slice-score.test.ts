import { expect, test } from "vitest";
import { randomPose } from "../../../science/orientations.ts";
import { makeBand } from "../../../science/kernels/math/band.ts";
import { eulerMatrix } from "../../../science/kernels/math/euler.ts";
import { halfLength2, RealTransform, spreadRows } from "../../../science/kernels/math/fft-real.ts";
import { fourierVolume } from "../../../science/kernels/math/fourier-volume.ts";
import { putBand, SliceTaker, takeValues } from "../../../science/kernels/math/slice-band.ts";
import { SliceScore } from "../../../science/kernels/math/slice-score.ts";
import { seededRandom } from "../../../shared/random.ts";
import { phantom } from "../../support/phantom.ts";
import { gatherBand } from "../../support/reference/band.ts";
import { forward2 } from "../../support/reference/fft-real.ts";
import * as plain from "../../support/reference/fourier-volume.ts";
import { SliceScore as PlainSliceScore } from "../../support/reference/slice-score.ts";

/** The padded sizes are 64, 54 and 60. */
const boxes = [32, 26, 30];
const volumesOf = (box: number) => {
  const map = phantom(box).data;
  return { volume: fourierVolume(map, box), plainVolume: plain.fourierVolume(map, box) };
};
const random = seededRandom("slices");
const poses = Array.from({ length: 50 }, () => randomPose(random, 2));
poses.push({ rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 });
poses.push({ rot: 0, tilt: 90, psi: 180, originX: 0, originY: 0 });

test.each(boxes.flatMap((box) => [1, 7, box / 2].map((maxRing) => ({ box, maxRing }))))(
  "slices are those of the reference implementation: %o",
  ({ box, maxRing }) => {
    const { volume, plainVolume } = volumesOf(box);
    const band = makeBand(box, 0, maxRing);
    const { engine } = volume;
    engine.release(volume.top);
    const tables = putBand(engine, band);
    const slices = new SliceTaker(volume, tables, box);
    const values = takeValues(engine, tables);
    const expected = new Float64Array(2 * band.u.length);
    for (const { rot, tilt, psi } of poses) {
      const matrix = eulerMatrix(rot, tilt, psi);
      const power = slices.take(matrix, values);
      plain.sliceBand(plainVolume, matrix, band, expected);
      const scale = Math.max(...expected.map(Math.abs));
      engine
        .floats(values, expected.length)
        .forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(2e-5 * scale));
      const expectedPower = expected.reduce((sum, value) => sum + value * value, 0);
      expect(power / expectedPower).toBeCloseTo(1, 4);
    }
  },
);

test.each(boxes)("scores and shifts are those of the reference implementation (box %i)", (box) => {
  const { volume, plainVolume } = volumesOf(box);
  const band = makeBand(box, 1, 10);
  const { engine } = volume;
  engine.release(volume.top);
  const transform = new RealTransform(engine, box);
  const score = new SliceScore(volume, band);
  const slow = new PlainSliceScore(plainVolume, band);
  const at = engine.take(4 * halfLength2(box));
  const half = new Float32Array(halfLength2(box));
  const values = new Float64Array(2 * band.u.length);
  const image = Float32Array.from({ length: box * box }, () => random() - 0.5);
  for (let y = 10; y < 20; y++) image.fill(3, y * box + 8, y * box + 22);
  spreadRows(image, box, engine.floats(at, half.length));
  transform.forward2(at);
  score.setParticle(at);
  forward2(image, box, half);
  gatherBand(half, band, values);
  slow.setParticle(values);
  for (const { rot, tilt, psi, originX, originY } of poses) {
    const matrix = eulerMatrix(rot, tilt, psi);
    const [found, expected] = [score.at(matrix, originX, originY), slow.at(matrix, originX, originY)];
    expect(found.score).toBeCloseTo(expected.score, 4);
    expect(found.originX).toBeCloseTo(expected.originX, 2);
    expect(found.originY).toBeCloseTo(expected.originY, 2);
  }
});
