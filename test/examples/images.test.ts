import { copyFile, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { caveats, type ImageSet } from "../../examples/lib/images.ts";
import { computeHere } from "../../science/compute-here.ts";
import { readMrc, writeMrc } from "../../science/mrc.ts";
import { similarityMatrix } from "../../science/simmx.ts";
import { bytesOf, putStack } from "../../science/stacks.ts";
import { particleStar } from "../../science/particle-star-write.ts";
import { readWithWarnings, scratchDirectory } from "./program-runs.ts";

const cases = join(import.meta.dirname, "..", "support", "data", "cases");
const good = await readFile(join(cases, "particles.mrcs"));
const plain = readMrc(good).data;
const area = 32 * 32;

/** Position of a pixel of image 6, in bytes. */
const pixel = 1024 + 4 * (5 * area + 100);

/** Writes a changed copy of the good particles. */
async function changed(name: string, change: (view: DataView) => void = () => undefined): Promise<string> {
  const bytes = Uint8Array.from(good);
  change(new DataView(bytes.buffer));
  const path = join(await scratchDirectory(), name);
  await writeFile(path, bytes);
  return path;
}

const zeros = (view: DataView, from: number, to: number): void => {
  for (let at = from; at < to; at++) view.setUint8(at, 0);
};

test("a good stack is read without a word", async () => {
  const { images, warnings, leftOut, ...set } = await readWithWarnings(await changed("good.mrcs"));
  expect(set).toMatchObject({ count: 32, box: 32, pixelSize: expect.closeTo(3.55, 6) as number });
  expect(images).toEqual(plain);
  expect([warnings, leftOut]).toEqual([[], []]);
});

describe("[IMAGE-1] images that nothing right can be computed with", () => {
  const set = (view: DataView, value: number): void => view.setFloat32(pixel, value, true);
  const blank = (view: DataView): void => {
    for (let i = 0; i < area; i++) view.setFloat32(1024 + 4 * (5 * area + i), 3, true);
  };

  test.each([
    [
      "NaN",
      (view: DataView) => set(view, NaN),
      /image 6 has a pixel that is NaN, infinite/,
      "1 with a pixel that is NaN",
    ],
    [
      "infinite",
      (view: DataView) => set(view, -Infinity),
      /image 6 has a pixel that is NaN, infinite/,
      "1 with a pixel",
    ],
    ["huge", (view: DataView) => set(view, 3e38), /image 6 has a pixel .* beyond ±1e15/, "1 with a pixel"],
    ["blank", blank, /image 6 has equal pixels only \(blank\)/, "1 blank"],
  ])("are left out and named, the others as they are: %s", async (_, change, warning, reason) => {
    const path = await changed("odd.mrcs", change);
    const found = await readWithWarnings(path);
    expect(found.warnings).toEqual([expect.stringMatching(warning)]);
    expect(found.warnings[0]).toContain(`${path}: `);
    expect(found.count).toBe(31);
    expect(found.rows.map(({ index }) => index)).toEqual([
      0,
      1,
      2,
      3,
      4,
      6,
      ...Array.from({ length: 25 }, (__, i) => i + 7),
    ]);
    expect(found.images.subarray(0, 5 * area)).toEqual(plain.subarray(0, 5 * area));
    expect(found.images.subarray(5 * area)).toEqual(plain.subarray(6 * area));
    expect(caveats(found)).toEqual([expect.stringMatching(/^left out: 1 of 32 images/)]);
    expect(caveats(found)[0]).toContain(reason);
  });

  test("of a table are left out with their rows, and the matrix of the others is the same to the bit", async () => {
    const path = await changed("nan-pixel.mrcs", (view) => set(view, NaN));
    const star = join(path, "..", "nan-star.star");
    await copyFile(join(cases, "nan-star.star"), star);
    const [found, whole] = [await readWithWarnings(star), await readWithWarnings(await changed("good.mrcs"))];
    expect(found.pixelSize).toBe(7.08);
    expect(found.rows.map((row) => row.class)).toEqual(
      Array.from({ length: 32 }, (_, i) => (i % 8) + 1).filter((__, i) => i !== 5),
    );
    const references = await readWithWarnings(join(cases, "references.mrcs"), { counted: true });
    const compute = computeHere();
    const scores = async ({ images, box }: ImageSet): Promise<Float32Array> => {
      const options = {
        minRing: 1,
        maxRing: 8,
        particleRadius: 13,
        shiftRadius: 2,
        shiftStep: 1,
        mirror: true,
      };
      const blocks = { name: "simmx", particleBlock: 10, referenceBlock: 8 };
      const rows = await putStack(compute, images, box);
      const columns = await putStack(compute, references.images, box);
      return (await similarityMatrix(compute, columns, rows, { ...options, ...blocks })).score;
    };
    const expected = await scores(whole);
    expect(await scores(found)).toEqual(
      Float32Array.from([...expected.subarray(0, 40), ...expected.subarray(48)]),
    );
  });

  test("are refused where images are counted; blank ones stay there", async () => {
    const odd = await changed("odd.mrcs", (view) => set(view, NaN));
    await expect(readWithWarnings(odd, { counted: true })).rejects.toThrow(
      /odd.mrcs: image 6 .* none can be left out/,
    );
    const stays = await readWithWarnings(await changed("blank.mrcs", blank), { counted: true });
    expect(stays).toMatchObject({
      count: 32,
      leftOut: [],
      warnings: [expect.stringMatching(/image 6 has equal pixels/)],
    });
  });

  test("and nothing else are refused", async () => {
    const path = await changed("zero.mrcs", (view) => zeros(view, 1024, view.byteLength));
    await expect(readWithWarnings(path)).rejects.toThrow(
      /zero.mrcs: no image can be used: .*images 1, 2, 3.* and 22 more have equal pixels/,
    );
  });
});

describe("[IMAGE-3] a pixel size", () => {
  test.each([
    ["cell", (view: DataView) => zeros(view, 40, 52)],
    ["sampling", (view: DataView) => zeros(view, 28, 40)],
  ])("is asked for when the header has no %s", async (_, change) => {
    const path = await changed("unsaid.mrcs", change);
    await expect(readWithWarnings(path)).rejects.toThrow(
      /unsaid.mrcs: no pixel size in the header .*--apix <Å>/,
    );
    expect(await readWithWarnings(path, { apix: 3.55 })).toMatchObject({ pixelSize: 3.55, count: 32 });
    expect(await readWithWarnings(path, { otherwise: 7.1 })).toMatchObject({ pixelSize: 7.1 });
  });

  test("of --apix stands above that of a header, and not against that of a table", async () => {
    const path = await changed("particles.mrcs");
    expect(await readWithWarnings(path, { apix: 2 })).toMatchObject({ pixelSize: 2 });
    const star = join(path, "..", "particles.star");
    const poses = [{ rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 }];
    await writeFile(star, particleStar(poses, { images: "particles.mrcs", pixelSize: 3.55, box: 32 }));
    expect(await readWithWarnings(star, { apix: 3.55 })).toMatchObject({ pixelSize: 3.55, count: 1 });
    await expect(readWithWarnings(star, { apix: 2 })).rejects.toThrow(/pixels of 3.55 Å .*, and --apix 2/);
  });

  test.each([
    [
      "of sides that differ",
      (view: DataView) => view.setFloat32(44, 200, true),
      /pixels of 3.55 × 6.25 Å .*; equal sides/,
    ],
    [
      "no microscope has",
      (view: DataView) => [40, 44].forEach((at) => view.setFloat32(at, 1, true)),
      /pixels of 0.03125 × 0.03125 Å .*0.05 … 10000/,
    ],
  ])("%s is refused", async (_, change, message) => {
    await expect(readWithWarnings(await changed("odd.mrcs", change))).rejects.toThrow(message);
  });
});

describe("[IMAGE-2] a file that looks odd", () => {
  test("a volume given as particles is read with a warning, under RELION's name for stacks without", async () => {
    const volume = (view: DataView): void => {
      view.setInt32(36, 32, true);
      view.setInt32(88, 1, true);
    };
    expect((await readWithWarnings(await changed("volume.mrc", volume))).warnings).toEqual([
      expect.stringMatching(
        /volume.mrc: space group 1 says that this is a volume; its 32 sections are taken as images/,
      ),
    ]);
    expect((await readWithWarnings(await changed("stack.mrcs", volume))).warnings).toEqual([]);
  });

  test("a stack of volumes, and one whose axes are turned, are refused", async () => {
    const many = await changed("many.mrc", (view) => view.setInt32(88, 401, true));
    await expect(readWithWarnings(many)).rejects.toThrow(/space group 401, a stack of volumes/);
    const turned = await changed("turned.mrcs", (view) =>
      [3, 1, 2].forEach((axis, i) => view.setInt32(64 + 4 * i, axis, true)),
    );
    await expect(readWithWarnings(turned)).rejects.toThrow(/axes 3, 1, 2 .*images have 1, 2, 3/);
  });

  test("bytes beyond the size in the header are told", async () => {
    const fewer = await changed("fewer.mrcs", (view) => view.setInt32(8, 20, true));
    const { count, warnings } = await readWithWarnings(fewer);
    expect(count).toBe(20);
    expect(warnings).toEqual([expect.stringMatching(/fewer.mrcs: 49152 bytes more than the 20 images/)]);
  });

  test("a compressed file is named as compressed", async () => {
    const directory = await scratchDirectory();
    const compressed = {
      gzip: gzipSync(good),
      bzip2: "BZh91AY",
      zstd: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0),
      xz: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0),
    };
    for (const [name, bytes] of Object.entries(compressed)) {
      await writeFile(join(directory, `a.mrcs.${name}`), bytes);
      await expect(readWithWarnings(join(directory, `a.mrcs.${name}`))).rejects.toThrow(
        new RegExp(`a.mrcs.${name}: compressed with ${name}; unpack`),
      );
    }
  });

  test("bytes are unsigned where IMOD's stamp says so", async () => {
    const { images } = await readWithWarnings(join(cases, "imod-unsigned-bytes.mrcs"));
    const { header } = readMrc(await readFile(join(cases, "imod-unsigned-bytes.mrcs")));
    expect([Math.min(...images), Math.max(...images)]).toEqual([header.minimum, header.maximum]);
    // The particles' values, mapped to 0 … 255.
    const [low, high] = [Math.min(...plain), Math.max(...plain)];
    images.forEach((value, i) =>
      expect(Math.abs(value - (255 * (plain[i]! - low)) / (high - low))).toBeLessThan(1),
    );
  });
});

test("images that a table names and a stack has not are refused", async () => {
  const path = await changed("particles.mrcs");
  const star = join(path, "..", "far.star");
  const poses = Array.from({ length: 2 }, () => ({ rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 }));
  const images = ["000032@particles.mrcs", "000033@particles.mrcs"];
  await writeFile(star, particleStar(poses, { images, pixelSize: 3.55, box: 32 }));
  await expect(readWithWarnings(star)).rejects.toThrow(
    /far.star: row 2, _rlnImageName: image 33 was asked for of .*particles.mrcs; it has 32/,
  );
});

test("[IMAGE-7] of a stack beyond 2 GiB the images that are named are read", async () => {
  const directory = await scratchDirectory();
  const [box, count] = [256, 10_000];
  const header = writeMrc(new Float32Array(box * box), {
    dimensions: [box, box, 1],
    pixelSize: 1.5,
    stack: true,
  });
  new DataView(header.buffer).setInt32(8, count, true);
  const file = await open(join(directory, "large.mrcs"), "w");
  // A sparse file takes no room on the disk.
  await file.truncate(1024 + 4 * box * box * count);
  await file.write(header, 0, 1024, 0);
  const image = Float32Array.from({ length: box * box }, (_, i) => Math.sin(i));
  for (const index of [2, 9_000, 9_001])
    await file.write(
      bytesOf(image.map((value) => value + index)),
      0,
      undefined,
      1024 + 4 * box * box * index,
    );
  await file.close();
  const poses = Array.from({ length: 4 }, () => ({ rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 }));
  const images = ["009001@large.mrcs", "009002@large.mrcs", "000003@large.mrcs", "000010@large.mrcs"];
  await writeFile(join(directory, "few.star"), particleStar(poses, { images, pixelSize: 1.5, box }));
  const before = process.memoryUsage().rss;
  const found = await readWithWarnings(join(directory, "few.star"));
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
  expect(found.rows.map(({ index }) => index)).toEqual([9_000, 9_001, 2]);
  found.rows.forEach(({ index }, i) =>
    expect(found.images.subarray(i * box * box, (i + 1) * box * box)).toEqual(
      image.map((value) => value + index),
    ),
  );
  expect(found.warnings).toEqual([expect.stringMatching(/large.mrcs: image 10 has equal pixels/)]);
});
