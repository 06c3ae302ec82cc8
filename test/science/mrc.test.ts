import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  inOrderXyz,
  MrcError,
  parseMrcHeader,
  readMrc,
  voxelSize,
  volumeOf,
  writeMrc,
  type MrcMode,
} from "../../science/mrc.ts";

const data = join(import.meta.dirname, "..", "..", "data");
const support = join(import.meta.dirname, "..", "support", "data");

describe("files of others", () => {
  test("EMD-3001: axes in the order z, x, y, a monoclinic cell, an extended header", async () => {
    const mrc = readMrc(await readFile(join(support, "EMD-3001.map")));
    expect(mrc.header).toMatchObject({
      dimensions: [73, 43, 25],
      mode: 2,
      start: [0, -21, -12],
      sampling: [40, 12, 72],
      axes: [3, 1, 2],
      spaceGroup: 4,
      extendedBytes: 160,
      littleEndian: true,
      labels: ["::::EMDATABANK.org::::EMD-3001::::"],
    });
    expect(mrc.extended).toHaveLength(160);
    expect(mrc.header.angles[1]).toBeCloseTo(94.326, 3);
    expect(voxelSize(mrc.header)).toEqual([
      expect.closeTo(17.93 / 40, 5),
      expect.closeTo(4.71 / 12, 5),
      expect.closeTo(33.03 / 72, 5),
    ]);
    // The statistics in the header are of these densities.
    expect(Math.min(...mrc.data)).toBe(mrc.header.minimum);
    expect(Math.max(...mrc.data)).toBe(mrc.header.maximum);
    expect(mrc.data.reduce((sum, value) => sum + value, 0) / mrc.data.length).toBeCloseTo(mrc.header.mean, 6);

    const { dimensions, data: ordered } = inOrderXyz(mrc);
    expect(dimensions).toEqual([43, 25, 73]);
    // Column c, row r, section s of the file is z = c, x = r, y = s.
    const [c, r, s] = [70, 5, 20];
    expect(ordered[(c * 25 + s) * 43 + r]).toBe(mrc.data[(s * 43 + r) * 73 + c]);
    expect(() => volumeOf(mrc)).toThrow(/43 × 25 × 73 voxels; a cube/);
  });

  test("betaGal.mrc is a cube of 3.54 Å voxels", async () => {
    const mrc = readMrc(await readFile(join(data, "betaGal.mrc")));
    const volume = volumeOf(mrc);
    expect(volume).toMatchObject({ size: 100, pixelSize: expect.closeTo(3.54, 5) as number });
    expect(volume.data.reduce((a, b) => Math.max(a, b))).toBe(mrc.header.maximum);
  });
});

describe("round trip", () => {
  const values = Float32Array.from({ length: 24 }, (_, i) => i * 5 - 60);

  test.each([0, 1, 2, 12] as MrcMode[])("of whole numbers in mode %i", (mode) => {
    const bytes = writeMrc(values, {
      dimensions: [4, 3, 2],
      pixelSize: 1.5,
      mode,
      labels: ["made by a test"],
    });
    const back = readMrc(bytes);
    expect(back.data).toEqual(values);
    expect(back.header).toMatchObject({
      dimensions: [4, 3, 2],
      mode,
      axes: [1, 2, 3],
      spaceGroup: 1,
      minimum: -60,
      maximum: 55,
      mean: -2.5,
      labels: ["made by a test"],
    });
    expect(voxelSize(back.header)).toEqual([1.5, 1.5, 1.5]);
  });

  test("of unsigned numbers in mode 6, and of any in mode 2", () => {
    const unsigned = Float32Array.from([0, 1, 40_000, 65_535]);
    expect(readMrc(writeMrc(unsigned, { dimensions: [4, 1, 1], pixelSize: 1, mode: 6 })).data).toEqual(
      unsigned,
    );
    const real = Float32Array.from([Math.PI, -1e-20, 3e30, 0]);
    expect(readMrc(writeMrc(real, { dimensions: [2, 2, 1], pixelSize: 1 })).data).toEqual(real);
  });

  test("of a stack says that its sections are images", () => {
    const { header } = readMrc(writeMrc(values, { dimensions: [4, 3, 2], pixelSize: 2, stack: true }));
    expect(header.spaceGroup).toBe(0);
    expect(header.sampling).toEqual([4, 3, 1]);
    expect(voxelSize(header)).toEqual([2, 2, 2]);
  });

  test("of bytes in the middle of a buffer", () => {
    const file = writeMrc(values, { dimensions: [4, 3, 2], pixelSize: 1 });
    const buffer = new Uint8Array(file.length + 3);
    buffer.set(file, 3);
    expect(readMrc(buffer.subarray(3)).data).toEqual(values);
  });

  test("of the other byte order", () => {
    const file = writeMrc(values, { dimensions: [4, 3, 2], pixelSize: 1.5 });
    const view = new DataView(file.buffer);
    for (let at = 0; at < file.length; at += 4) {
      const text = (at >= 104 && at < 108) || (at >= 208 && at < 216) || (at >= 224 && at < 1024);
      if (!text) view.setUint32(at, view.getUint32(at, true), false);
    }
    file.set([0x11, 0x11], 212);
    const back = readMrc(file);
    expect(back.header).toMatchObject({ littleEndian: false, dimensions: [4, 3, 2] });
    expect(back.data).toEqual(values);
  });
});

describe("refusals say what was wrong", () => {
  const good = writeMrc(new Float32Array(8), { dimensions: [2, 2, 2], pixelSize: 1 });
  const changed = (change: (view: DataView) => void): Uint8Array => {
    const bytes = good.slice();
    change(new DataView(bytes.buffer));
    return bytes;
  };

  test.each([
    ["too short", good.subarray(0, 100), /100 bytes; an MRC file begins with a header of 1024/],
    ["cut off", good.subarray(0, good.length - 1), /1055 bytes; 2 × 2 × 2 samples of mode 2 .* need 1056/],
    ["complex", changed((view) => view.setInt32(12, 4, true)), /mode 4 \(complex 32-bit\)/],
    ["huge", changed((view) => view.setInt32(0, 2 ** 30, true)), /need \d+/],
    ["negative", changed((view) => view.setInt32(4, -2, true)), /each must be at least 1/],
    ["axes", changed((view) => view.setInt32(64, 2, true)), /axes 2, 2, 3/],
    ["extended header", changed((view) => view.setInt32(92, -4, true)), /extended header of -4/],
    ["no MRC", new Uint8Array(2000).fill(0x20), /not an MRC file/],
  ])("%s", (_, bytes, message) => {
    expect(() => readMrc(bytes)).toThrow(MrcError);
    expect(() => readMrc(bytes)).toThrow(message);
  });

  test("numbers that do not fit", () => {
    const values = Float32Array.from([200]);
    expect(() => writeMrc(values, { dimensions: [1, 1, 1], pixelSize: 1, mode: 0 })).toThrow(
      /200 does not fit/,
    );
    expect(() => writeMrc(values, { dimensions: [2, 1, 1], pixelSize: 1 })).toThrow(
      /1 densities for 2 × 1 × 1/,
    );
  });

  test("axes of zero mean the usual order, and a header can be read alone", () => {
    const bytes = changed((view) => [64, 68, 72].forEach((at) => view.setInt32(at, 0, true)));
    expect(parseMrcHeader(bytes.subarray(0, 1024), bytes.length).axes).toEqual([1, 2, 3]);
  });
});
