import { expect, test } from "vitest";
import { computeHere } from "../../../science/compute-here.ts";
import { randomPose } from "../../../science/orientations.ts";
import { projectStage } from "../../../science/stages.ts";
import { eulerMatrix } from "../../../science/kernels/math/euler.ts";
import { seededRandom } from "../../../shared/random.ts";
import { correlation, phantom, projectedPhantom } from "../../support/phantom.ts";

const options = { name: "project", block: 4 };

test.each([32, 36])("slices of a field of blobs are its projections by formula (box %i)", async (size) => {
  const random = seededRandom("project");
  const poses = Array.from({ length: 12 }, () => randomPose(random, 3));
  const map = phantom(size);
  const images = await projectStage(computeHere(), map, poses, { ...options, maxRadius: size / 2 });
  poses.forEach(({ rot, tilt, psi, originX, originY }, i) => {
    const image = images.subarray(i * size * size, (i + 1) * size * size);
    const expected = projectedPhantom(size, eulerMatrix(rot, tilt, psi), [originX, originY]);
    const peak = Math.max(...expected);
    const worst = Math.max(...image.map((value, at) => Math.abs(value - expected[at]!)));
    expect(worst / peak).toBeLessThan(0.015);
  });
});

test("looking along z, a slice is the sum over z, and along x the sum over x", async () => {
  const map = phantom(32);
  const poses = [
    { rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 },
    { rot: 0, tilt: 90, psi: 0, originX: 0, originY: 0 },
  ];
  const images = await projectStage(computeHere(), map, poses, { ...options, maxRadius: 16 });
  const alongZ = new Float32Array(32 * 32);
  // In a view from x the image's x axis is the volume's −z (rows of the matrix), so column 16 + c shows z = 16 − c.
  const alongX = new Float32Array(32 * 32);
  for (let z = 0, i = 0; z < 32; z++)
    for (let y = 0; y < 32; y++)
      for (let x = 0; x < 32; x++, i++) {
        alongZ[y * 32 + x]! += map.data[i]!;
        if (z > 0) alongX[y * 32 + 32 - z]! += map.data[i]!;
      }
  expect(correlation(images.subarray(0, 1024), alongZ)).toBeGreaterThan(0.9999);
  expect(correlation(images.subarray(1024), alongX)).toBeGreaterThan(0.9999);
});

test("frequencies beyond the limit are left out", async () => {
  const pose = { rot: 20, tilt: 30, psi: 40, originX: 0, originY: 0 };
  const map = phantom(32);
  const compute = computeHere();
  const [coarse, fine] = await Promise.all(
    [2, 16].map((maxRadius) => projectStage(compute, map, [pose], { ...options, maxRadius })),
  );
  const spread = (image: Float32Array): number => Math.max(...image) - Math.min(...image);
  expect(spread(coarse!)).toBeLessThan(0.7 * spread(fine!));
});
