import { expect, test } from "vitest";
import {
  angleBetween,
  eulerAngles,
  eulerMatrix,
  multiply,
  rotationAbout,
  type Matrix3,
} from "../../../science/kernels/math/euler.ts";
import { seededRandom } from "../../../shared/random.ts";

function expectClose(a: Matrix3, b: Matrix3): void {
  a.forEach((value, i) => expect(value).toBeCloseTo(b[i as 0], 9));
}

test("the matrix is Rz(psi)·Ry(tilt)·Rz(rot) of RELION, frames turning", () => {
  // Rows are the image's axes in the volume. In a view along z, psi turns the image's x axis towards the volume's y.
  expectClose(eulerMatrix(0, 0, 0), [1, 0, 0, 0, 1, 0, 0, 0, 1]);
  expectClose(eulerMatrix(0, 0, 90), [0, 1, 0, -1, 0, 0, 0, 0, 1]);
  expectClose(eulerMatrix(90, 0, 0), [0, 1, 0, -1, 0, 0, 0, 0, 1]);
  // At a tilt of 90° the viewing direction is x, and rot moves it along the equator.
  expectClose(eulerMatrix(0, 90, 0), [0, 0, -1, 0, 1, 0, 1, 0, 0]);
  expect(eulerMatrix(30, 90, 77).slice(6)).toEqual([
    expect.closeTo(Math.cos(Math.PI / 6)),
    expect.closeTo(Math.sin(Math.PI / 6)),
    expect.closeTo(0),
  ]);
  // Euler_angles2matrix of RELION 3.1 for (10, 20, 30).
  const [a, b, g] = [10, 20, 30].map((degrees) => (degrees * Math.PI) / 180) as [number, number, number];
  const about = (angle: number): Matrix3 => [
    Math.cos(angle),
    Math.sin(angle),
    0,
    -Math.sin(angle),
    Math.cos(angle),
    0,
    0,
    0,
    1,
  ];
  const tilt: Matrix3 = [Math.cos(b), 0, -Math.sin(b), 0, 1, 0, Math.sin(b), 0, Math.cos(b)];
  expectClose(eulerMatrix(10, 20, 30), multiply(multiply(about(g), tilt), about(a)));
});

test("angles come back from the matrix, at the poles too", () => {
  const random = seededRandom("euler");
  const cases = Array.from({ length: 200 }, () => [
    360 * random() - 180,
    180 * random(),
    360 * random() - 180,
  ]);
  cases.push([40, 0, 50], [40, 180, 50], [0, 180, 0], [-170, 90, 180]);
  for (const [rot, tilt, psi] of cases as [number, number, number][]) {
    const matrix = eulerMatrix(rot, tilt, psi);
    const angles = eulerAngles(matrix);
    expectClose(eulerMatrix(angles.rot, angles.tilt, angles.psi), matrix);
  }
});

test("a rotation vector turns by its length about its direction", () => {
  expect(angleBetween(rotationAbout(3, 4, 12), eulerMatrix(0, 0, 0))).toBeCloseTo(13, 9);
  // A rotation about z in the frame of the volume has the opposite sign of Euler angles, which turn the frame.
  expectClose(rotationAbout(0, 0, 25), eulerMatrix(-25, 0, 0));
});
