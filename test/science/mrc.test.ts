import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { MrcFile, readMrcFile } from "../../science/mrc-file.ts";
import {
  inOrderXyz,
  MrcError,
  parseMrcHeader,
  placementOf,
  readMrc,
  voxelSize,
  volumeOf,
  writeMrc,
  type MrcMode,
} from "../../science/mrc.ts";
import { bytesOf } from "../../science/stacks.ts";

/** IMOD's stamp, word 39. */
const imod = 1_146_047_817;
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

  test("of where a map lies, also in the order x, y, z of a file that has another", () => {
    const placement = { start: [-3, 4, 5], origin: [10.5, -20, 0.25] } as const;
    const { header } = readMrc(writeMrc(values, { dimensions: [4, 3, 2], pixelSize: 2, placement }));
    expect(placementOf(header)).toEqual(placement);
    expect(placementOf({ ...header, axes: [3, 1, 2] })).toEqual({ ...placement, start: [4, 5, -3] });
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

describe("[IMAGE-2] bytes and origins are as IMOD's stamp and flags say", () => {
  const file = writeMrc(Float32Array.of(-1, -128, 0, 127), {
    dimensions: [2, 2, 1],
    pixelSize: 1,
    mode: 0,
    placement: { start: [0, 0, 0], origin: [1, 2, 3] },
  });
  const stamped = (stamp: number, flags: number): ReturnType<typeof readMrc> => {
    const bytes = file.slice();
    const view = new DataView(bytes.buffer);
    view.setInt32(152, stamp, true);
    view.setInt32(156, flags, true);
    return readMrc(bytes);
  };
  test.each([
    [0, 0, [-1, -128, 0, 127], [1, 2, 3]],
    [imod + 1, 0, [-1, -128, 0, 127], [1, 2, 3]],
    [imod, 0, [255, 128, 0, 127], [-1, -2, -3]],
    [imod, 1, [-1, -128, 0, 127], [-1, -2, -3]],
    [imod, 4, [255, 128, 0, 127], [1, 2, 3]],
    [imod, 5, [-1, -128, 0, 127], [1, 2, 3]],
  ])("stamp %i, flags %i", (stamp, flags, bytes, origin) => {
    const { data, header } = stamped(stamp, flags);
    expect([[...data], header.origin]).toEqual([bytes, origin]);
  });
});

describe("[IMAGE-7] a file is read as its bytes are, in pieces", () => {
  test.each([0, 1, 2, 6, 12] as MrcMode[])("mode %i", async (mode) => {
    const directory = await mkdtemp(join(tmpdir(), "manyhands-mrc-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    // 1.25 MiB: more than one piece.
    const many = Float32Array.from({ length: 512 * 512 * 5 }, (_, i) => i % 127);
    const bytes = writeMrc(many, { dimensions: [512, 512, 5], pixelSize: 1, mode, stack: true });
    const path = join(directory, "a.mrcs");
    await writeFile(path, bytes);
    expect(Buffer.compare(bytesOf((await readMrcFile(path)).data), bytesOf(many))).toBe(0);
    const file = await MrcFile.open(path);
    const two = new Float32Array(2 * 512 * 512);
    await file.read(3, 2, two);
    expect(Buffer.compare(bytesOf(two), bytesOf(many.subarray(3 * 512 * 512)))).toBe(0);
    // A file that is cut off during a read ends the read with an error that names the file.
    await truncate(path, bytes.length - 100);
    await expect(file.read(3, 2, two)).rejects.toThrow(/a.mrcs: cut off while it was read/);
    await file.close();
    await expect(MrcFile.open(path)).rejects.toThrow(/a.mrcs: \d+ bytes; 512 × 512 × 5 samples/);
  });
});

describe("[IMAGE-2] refusals say what was wrong", () => {
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
    ["negative", changed((view) => view.setInt32(4, -2, true)), /NX, NY, NZ of 2, -2, 2; each at least 1/],
    ["axes", changed((view) => view.setInt32(64, 2, true)), /axes 2, 2, 3/],
    ["extended header", changed((view) => view.setInt32(92, -4, true)), /extended header \(NSYMBT\) of -4/],
    ["extended header beyond the end", changed((view) => view.setInt32(92, 4096, true)), /need 5152/],
    ["negative mode", changed((view) => view.setInt32(12, -1, true)), /mode -1; modes 0, 1, 2, 6, 12/],
    ["4-bit", changed((view) => view.setInt32(12, 101, true)), /mode 101 \(4-bit\)/],
    [
      "4-bit in bytes",
      changed((view) =>
        [12, 0, 152, imod, 156, 16].forEach(
          (word, i, all) => i % 2 || view.setInt32(word, all[i + 1]!, true),
        ),
      ),
      /two 4-bit numbers a byte/,
    ],
    [
      "start",
      changed((view) => view.setInt32(20, 2 ** 31 - 1, true)),
      /NXSTART, NYSTART, NZSTART of 0, 2147483647, 0/,
    ],
    ["sampling", changed((view) => view.setInt32(28, -2, true)), /MX, MY, MZ of -2, 2, 2/],
    ["cell", changed((view) => view.setFloat32(44, -1, true)), /cell lengths \(CELLA\) of 2, -1, 2/],
    [
      "cell of nothing",
      changed((view) => view.setFloat32(40, NaN, true)),
      /cell lengths \(CELLA\) of NaN, 2, 2/,
    ],
    [
      "endless cell",
      changed((view) => view.setFloat32(40, Infinity, true)),
      /cell lengths \(CELLA\) of Infinity/,
    ],
    ["angles", changed((view) => view.setFloat32(60, 200, true)), /cell angles \(CELLB\) of 90, 90, 200/],
    ["space group", changed((view) => view.setInt32(88, 9999, true)), /space group \(ISPG\) 9999/],
    ["origin", changed((view) => view.setFloat32(196, NaN, true)), /ORIGIN of NaN, 0, 0/],
    ["no MRC", new Uint8Array(2000).fill(0x20), /not an MRC file/],
  ])("%s", (_, bytes, message) => {
    expect(() => readMrc(bytes)).toThrow(MrcError);
    expect(() => readMrc(bytes)).toThrow(message);
  });

  test.each([
    [
      "no voxel size",
      changed((view) => [40, 44, 48].forEach((at) => view.setFloat32(at, 0, true))),
      /no voxel size/,
    ],
    [
      "voxels of unequal sides",
      changed((view) => view.setFloat32(48, 3, true)),
      /voxels of 1 × 1 × 1.5 Å .*; equal sides/,
    ],
    [
      "voxels of no size",
      changed((view) => [40, 44, 48].forEach((at) => view.setFloat32(at, 1e-6, true))),
      /0.05 … 10000 Å/,
    ],
    [
      "a cell that is no box",
      changed((view) => view.setFloat32(56, 120, true)),
      /cell angles of 90, 120, 90/,
    ],
    [
      "a density that is no number",
      changed((view) => view.setFloat32(1024 + 8, NaN, true)),
      /the density NaN at voxel 3/,
    ],
  ])("maps: %s", (_, bytes, message) => {
    expect(() => volumeOf(readMrc(bytes))).toThrow(MrcError);
    expect(() => volumeOf(readMrc(bytes))).toThrow(message);
  });

  test("a voxel size that is told stands above the header's, or its lack", () => {
    const none = readMrc(changed((view) => [40, 44, 48].forEach((at) => view.setFloat32(at, 0, true))));
    expect(volumeOf(none, 2.5)).toMatchObject({ pixelSize: 2.5, size: 2 });
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
