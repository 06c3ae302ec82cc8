import { expect, test } from "vitest";
import { loadBetaGal } from "../../science/demo/betagal.ts";
import { evenViews, randomPose } from "../../science/orientations.ts";
import { orientationError, symmetryOperators } from "../../science/symmetry.ts";
import { eulerMatrix, multiply } from "../../science/kernels/math/euler.ts";
import { seededRandom } from "../../shared/random.ts";

test.each([
  ["C1", 1],
  ["C4", 4],
  ["D2", 4],
  ["D7", 14],
])("%s is a group of %i rotations", (name, order) => {
  const operators = symmetryOperators(name);
  expect(operators).toHaveLength(order);
  for (const a of operators)
    for (const b of operators)
      expect(orientationError(multiply(a, b), eulerMatrix(0, 0, 0), operators)).toBeLessThan(1e-5);
});

test("unknown groups are refused", () => {
  expect(() => symmetryOperators("T")).toThrow(/C1, C2, …, D2/);
});

test("the map has the symmetry that is said of it", async () => {
  const { data, size } = await loadBetaGal(64);
  // The map is turned by 180° about each axis, voxel by voxel; sample 0 has no partner.
  let worst = 0;
  const at = (x: number, y: number, z: number): number => data[(z * size + y) * size + x]!;
  for (let z = 1; z < size; z++)
    for (let y = 1; y < size; y++)
      for (let x = 1; x < size; x++) {
        const own = at(x, y, z);
        const [a, b, c] = [size - x, size - y, size - z];
        worst = Math.max(
          worst,
          Math.abs(own - at(a, b, z)),
          Math.abs(own - at(a, y, c)),
          Math.abs(own - at(x, b, c)),
        );
      }
  expect(worst).toBeLessThan(1e-4 * data.reduce((a, b) => Math.max(a, b)));
});

test("the error between symmetric orientations is zero, and otherwise the smallest turn", () => {
  const operators = symmetryOperators("D2");
  const orientation = eulerMatrix(12, 34, 56);
  for (const operator of operators)
    expect(orientationError(multiply(orientation, operator), orientation, operators)).toBeLessThan(1e-5);
  expect(orientationError(eulerMatrix(12, 34, 61), orientation, operators)).toBeCloseTo(5, 6);
  expect(orientationError(eulerMatrix(12 + 180, 34, 56), orientation, operators)).toBeLessThan(1e-5);
});

test("views cover the sphere evenly, and symmetry leaves its share", () => {
  const all = evenViews(10, symmetryOperators("C1"));
  expect(all.length).toBe(Math.round((4 * Math.PI) / (Math.PI / 18) ** 2));
  const part = evenViews(10, symmetryOperators("D2"));
  expect(part.length).toBeGreaterThan(0.22 * all.length);
  expect(part.length).toBeLessThan(0.28 * all.length);
  // Every direction is near a view or a symmetry mate of one.
  const operators = symmetryOperators("D2");
  const direction = ({ rot, tilt }: { rot: number; tilt: number }): number[] =>
    eulerMatrix(rot, tilt, 0).slice(6);
  const random = seededRandom("cover");
  for (let i = 0; i < 300; i++) {
    const pose = randomPose(random, 0);
    const matrix = eulerMatrix(pose.rot, pose.tilt, pose.psi);
    const cosines = operators.flatMap((operator) => {
      const own = multiply(matrix, operator).slice(6);
      return part.map((view) => direction(view).reduce((sum, value, axis) => sum + value * own[axis]!, 0));
    });
    expect((Math.acos(Math.min(1, Math.max(...cosines))) * 180) / Math.PI).toBeLessThan(10);
  }
});

test("random poses fill all rotations evenly and their disc of shifts", () => {
  const random = seededRandom("uniform");
  const poses = Array.from({ length: 4000 }, () => randomPose(random, 3));
  // For uniform rotations the cosine of tilt is uniform in −1 … 1, and rot and psi are uniform in the circle.
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const cosine = poses.map(({ tilt }) => Math.cos((tilt * Math.PI) / 180));
  expect(Math.abs(mean(cosine))).toBeLessThan(0.04);
  expect(Math.abs(mean(cosine.map((value) => value * value)) - 1 / 3)).toBeLessThan(0.02);
  for (const angle of ["rot", "psi"] as const)
    expect(Math.abs(mean(poses.map((pose) => Math.cos((pose[angle] * Math.PI) / 180))))).toBeLessThan(0.05);
  const radii = poses.map(({ originX, originY }) => Math.hypot(originX, originY));
  expect(Math.max(...radii)).toBeLessThanOrEqual(3);
  expect(Math.abs(mean(radii) - 2)).toBeLessThan(0.05);
});
