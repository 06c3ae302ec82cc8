import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { particleStar } from "../../science/particle-star-write.ts";
import { readParticleStar } from "../../science/particle-star.ts";

const cases = join(import.meta.dirname, "..", "support", "data", "cases");
const fixture = (name: string): Promise<string> => readFile(join(cases, `${name}.star`), "utf8");

/** A table of two particles from columns; with one optics group of 2 Å, unless told otherwise. */
function star(
  columns: Readonly<Record<string, readonly [string, string]>>,
  optics: Readonly<Record<string, string>> | undefined = { rlnOpticsGroup: "1", rlnImagePixelSize: "2" },
): string {
  const all = { rlnImageName: ["1@a.mrcs", "2@a.mrcs"] as const, ...columns };
  const block = (name: string, labels: string[], rows: string[][]): string =>
    `data_${name}\nloop_\n${labels.map((label) => `_${label}\n`).join("")}${rows.map((row) => row.join(" ")).join("\n")}\n`;
  const rows = [0, 1].map((row) => Object.values(all).map((values) => values[row as 0 | 1]));
  return (
    (Object.keys(optics).length > 0 ? block("optics", Object.keys(optics), [Object.values(optics)]) : "") +
    block(Object.keys(optics).length > 0 ? "particles" : "", Object.keys(all), rows)
  );
}
const none = {};
const angles = { rlnAngleRot: ["10", "20"], rlnAngleTilt: ["1", "2"], rlnAnglePsi: ["3", "4"] } as const;
const shifts = (text: string, apix?: number) =>
  readParticleStar(text, apix).rows.map(({ pose }) => [pose?.originX, pose?.originY]);

describe("[STAR-1] shifts and pixel sizes under each of their names", () => {
  const pixels = { ...angles, rlnOriginX: ["1.5", "0"], rlnOriginY: ["-2", "0.25"] } as const;
  const long = { ...angles, rlnOriginXAngst: ["3", "0"], rlnOriginYAngst: ["-4", "0.5"] } as const;
  const expected = [
    [1.5, -2],
    [0, 0.25],
  ];

  test("shifts in pixels and in Å are the same, with optics and without", () => {
    expect(shifts(star(long))).toEqual(expected);
    expect(shifts(star(pixels))).toEqual(expected);
    expect(shifts(star({ ...long, ...pixels }))).toEqual(expected);
    expect(shifts(star({ ...pixels, rlnPixelSize: ["2", "2"] }, none))).toEqual(expected);
    expect(shifts(star(pixels, none), 2)).toEqual(expected);
    expect(shifts(star(long, none), 2)).toEqual(expected);
  });

  test.each([
    [{ rlnPixelSize: ["2", "2"] }, none],
    [{ rlnImagePixelSize: ["2", "2"] }, none],
    [{ rlnDetectorPixelSize: ["10", "10"], rlnMagnification: ["50000", "50000"] }, none],
    [{}, { rlnOpticsGroup: "1", rlnPixelSize: "2" }],
    [{ rlnPixelSize: ["2", "2"] }, { rlnOpticsGroup: "1" }],
    // The optics take precedence over columns that a conversion left behind.
    [{ rlnDetectorPixelSize: ["5", "5"], rlnMagnification: ["50000", "50000"] }, undefined],
  ] as const)("2 Å from columns %j, optics %j", (columns, optics) => {
    expect(readParticleStar(star(columns, optics))).toMatchObject({ pixelSize: 2 });
  });

  test.each([
    ["no pixel size", star(pixels, none), /no pixel size .*give it with --apix <Å>/],
    [
      "two of them",
      star({ ...pixels, rlnPixelSize: ["2", "3"] }, none),
      /pixels of 2 Å .*row 1.* and of 3 Å .*row 2/,
    ],
    [
      "two spellings that differ",
      star({ ...pixels, rlnOriginXAngst: ["3.5", "0"], rlnOriginYAngst: ["-4", "0.5"] }),
      /data_particles, row 1, _rlnOriginX: 1.5 pixels, and _rlnOriginXAngst says 1.750/,
    ],
    ["one axis", star({ ...angles, rlnOriginX: ["1", "2"] }), /_rlnOriginX without _rlnOriginY/],
    [
      "one axis in Å",
      star({ ...angles, rlnOriginYAngst: ["1", "2"] }),
      /_rlnOriginYAngst without _rlnOriginXAngst/,
    ],
  ])("refused: %s", (_, text, message) => {
    expect(() => readParticleStar(text)).toThrow(message);
  });

  test("--apix stands above a nominal magnification, and not against shifts in Å", () => {
    const nominal = { rlnDetectorPixelSize: ["10", "10"], rlnMagnification: ["50000", "50000"] } as const;
    expect(readParticleStar(star({ ...pixels, ...nominal }, none), 2.1)).toMatchObject({ pixelSize: 2.1 });
    expect(() => readParticleStar(star({ ...long, ...nominal }, none), 2.1)).toThrow(
      /pixels of 2 Å .*, and --apix 2.1/,
    );
  });

  test("a pose is never made up: what a table lacks is told", () => {
    expect(readParticleStar(star(long))).not.toHaveProperty("posesLack");
    for (const [columns, lack] of [
      [angles, /no column _rlnOriginXAngst, _rlnOriginYAngst/],
      [{ ...long, rlnAngleTilt: ["-999", "2"] }, /row 1: an angle or origin of -999/],
      [{ rlnAnglePsi: ["1", "2"] }, /no column _rlnAngleRot, _rlnAngleTilt, _rlnOriginXAngst/],
    ] as const) {
      const { rows, posesLack } = readParticleStar(star(columns));
      expect(posesLack).toMatch(lack);
      expect(rows.some(({ pose }) => pose === undefined)).toBe(true);
    }
  });

  test("a file of RELION 3.0", async () => {
    const { rows, pixelSize } = readParticleStar(await fixture("relion30"));
    expect(pixelSize).toBe(3.55);
    expect(rows).toHaveLength(32);
    expect(rows[9]).toMatchObject({ index: 9, class: 2, pose: { originX: 1.5, originY: -2 } });
  });
});

describe("[STAR-2] each number of a table", () => {
  const good = { ...angles, rlnOriginXAngst: ["3", "0"], rlnOriginYAngst: ["-4", "0.5"] } as const;

  test.each([
    ["rlnAngleRot", "nan"],
    ["rlnAngleTilt", "inf"],
    ["rlnAnglePsi", "1e30"],
    ["rlnAngleRot", "0x10"],
    ["rlnAnglePsi", '""'],
    ["rlnOriginXAngst", "1,5"],
    ["rlnOriginYAngst", "None"],
    ["rlnClassNumber", "0"],
    ["rlnClassNumber", "1.5"],
    ["rlnClassNumber", "4000000000"],
    ["rlnRandomSubset", "3"],
  ])("%s of %s is refused by row and column", (name, value) => {
    const text = star({ ...good, [name]: ["1", value] });
    expect(() => readParticleStar(text)).toThrow(
      new RegExp(`^data_particles, row 2, _${name}: .*; a (whole )?number from \\S+ to \\S+ was expected$`),
    );
  });

  test.each([
    [{ rlnOpticsGroup: "1", rlnImagePixelSize: "-1" }, /data_optics, row 1, _rlnImagePixelSize: "-1"/],
    [{ rlnOpticsGroup: "1", rlnImagePixelSize: "0.001" }, /_rlnImagePixelSize: pixels of 0.001 Å/],
    [{ rlnOpticsGroup: "one", rlnImagePixelSize: "2" }, /data_optics, row 1, _rlnOpticsGroup: "one"/],
    [
      { rlnOpticsGroup: "1", rlnImagePixelSize: "2", rlnImageDimensionality: "3" },
      /data_optics, row 1, _rlnImageDimensionality: "3"/,
    ],
  ])("of optics %j", (optics, message) => {
    expect(() => readParticleStar(star(good, optics))).toThrow(message);
  });

  test("an optics group that does not exist, and one that is there twice", async () => {
    expect(() => readParticleStar(star({ ...good, rlnOpticsGroup: ["1", "7"] }))).toThrow(
      /data_particles, row 2, _rlnOpticsGroup: 7; data_optics has 1/,
    );
    const twice = (await fixture("two-optics-used-one")).replace("\n2\topticsGroup2", "\n1\topticsGroup2");
    expect(() => readParticleStar(twice)).toThrow(
      /data_optics, row 2, _rlnOpticsGroup: group 1 a second time/,
    );
  });

  test("images are named with a number from 1 on", () => {
    for (const name of ["0@a.mrcs", "a.mrcs", "x@a.mrcs", "1@"])
      expect(() => readParticleStar(star({ rlnImageName: ["1@a.mrcs", name] }))).toThrow(
        /data_particles, row 2, _rlnImageName: image ".*"; such as 000001@stack.mrcs/,
      );
  });

  test("classes and halves that RELION does not know are absent", () => {
    const { rows } = readParticleStar(
      star({ rlnClassNumber: ["-999", "2"], rlnRandomSubset: ["-999", "1"] }),
    );
    expect(rows[0]).not.toHaveProperty("class");
    expect(rows[0]).not.toHaveProperty("subset");
    expect(rows[1]).toMatchObject({ class: 2, subset: 1 });
  });
});

describe("[STAR-3] blocks and groups", () => {
  test("a group that no particle is of does not matter", async () => {
    const text = await fixture("two-optics-used-one");
    expect(readParticleStar(text)).toMatchObject({ pixelSize: 7.08, imageSize: 32 });
    const odd = text.replace(/(2\topticsGroup2.*)7.080000\t32/, "$11.5\t256");
    expect(odd).not.toBe(text);
    expect(readParticleStar(odd).rows).toEqual(readParticleStar(await fixture("ok")).rows);
    const used = odd.replace(
      "000032@particles.mrcs\t0\t0\t0\t0\t0\t2\t1",
      "000032@particles.mrcs\t0\t0\t0\t0\t0\t2\t2",
    );
    expect(() => readParticleStar(used)).toThrow(/images of 32 and 256 pixels/);
    expect(() => readParticleStar(used.replace("\t256", "\t32"))).toThrow(/pixels of 7.08 Å .* and of 1.5 Å/);
  });

  test("a block that is there twice is refused, not the last one taken", async () => {
    const text = await fixture("duplicate-particles");
    expect(() => readParticleStar(text)).toThrow(/line \d+: a second block data_particles/);
  });

  test("so is a column", () => {
    expect(() =>
      readParticleStar(star(none).replace("_rlnImageName", "_rlnImageName\n_rlnImageName")),
    ).toThrow(/a second column _rlnImageName/);
  });
});

describe("[STAR-4] written tables", () => {
  const pose = { rot: 1, tilt: 2, psi: 3, originX: 4, originY: -5 };
  const names = [
    "000001@../my data é/particles.mrcs",
    "000002@a\tb.mrcs",
    `000003@it's "so".mrcs`,
    `000004@say "so" now.mrcs`,
    "000005@plain#1.mrcs",
  ];

  test("is read as it was, with blanks, quotes and nothing in values", () => {
    const odd = ["", "_label", "#comment", "data_x", "loop_"];
    const text = particleStar(
      names.map(() => pose),
      { images: names, pixelSize: 2, box: 32, columns: { rlnMicrographName: odd } },
    );
    const { rows, tables } = readParticleStar(text);
    expect(rows.map(({ index, stack }) => `00000${index + 1}@${stack}`)).toEqual(names);
    expect(rows.map((row) => row.pose)).toEqual(names.map(() => pose));
    const at = tables.particles.columns.indexOf("rlnMicrographName");
    expect(tables.particles.rows.map((row) => row[at])).toEqual(odd);
  });

  test("without quotes a blank is named as the fault", async () => {
    const text = await fixture("written-with-space-in-path");
    expect(() => readParticleStar(text)).toThrow(
      /line 32: 13 values; 11 columns were announced \(a value with a blank in it must be in quotes\)/,
    );
  });

  test("a value that STAR cannot hold is refused", () => {
    const write = (columns: Record<string, (string | number)[]>) => () =>
      particleStar([pose], { images: "a.mrcs", pixelSize: 2, box: 32, columns });
    expect(write({ rlnName: ["a\nb"] })).toThrow(/cannot be written to a STAR file/);
    expect(write({ rlnName: [`a" b' c`] })).toThrow(/cannot be written to a STAR file/);
    expect(write({ rlnNumber: [NaN] })).toThrow(/NaN in a STAR file/);
  });

  const rewrite = (text: string, rows: number[]): string => {
    const { tables, pixelSize } = readParticleStar(text);
    const poses = rows.map(() => pose);
    const images = rows.map((row) => `${row + 1}@new.mrcs`);
    return particleStar(poses, {
      images,
      pixelSize,
      box: 32,
      subsets: rows.map(() => 2),
      source: { tables, rows },
    });
  };

  test("keeps each column and optics group", () => {
    const optics = {
      rlnOpticsGroup: "3",
      rlnVoltage: "200",
      rlnSphericalAberration: "0.01",
      rlnImagePixelSize: "2",
    };
    const columns = {
      rlnDefocusU: ["12000.5", "9000"],
      rlnMicrographName: ['"a b.mrc"', "c.mrc"],
      rlnOpticsGroup: ["3", "3"],
      rlnOriginX: ["1", "1"],
      rlnOriginY: ["1", "1"],
    } as const;
    const before = readParticleStar(star(columns, optics)).tables;
    const { tables, rows } = readParticleStar(rewrite(star(columns, optics), [1]));
    expect(tables.optics).toEqual(before.optics);
    expect(rows).toEqual([{ index: 1, stack: "new.mrcs", row: 0, pose, subset: 2 }]);
    const values = Object.fromEntries(
      tables.particles.columns.map((name, at) => [name, tables.particles.rows[0]![at]]),
    );
    expect(values).toMatchObject({ rlnDefocusU: "9000", rlnMicrographName: "c.mrc", rlnOpticsGroup: "3" });
    // The other unit would contradict the written origin.
    expect(values).not.toHaveProperty("rlnOriginX");
    expect(values).toMatchObject({ rlnOriginXAngst: "8", rlnOriginYAngst: "-10" });
  });

  test("is of RELION 3.0 when what was read is", async () => {
    const text = rewrite(await fixture("relion30"), [4, 5]);
    const { tables, rows, pixelSize } = readParticleStar(text);
    expect([pixelSize, tables.optics]).toEqual([3.55, undefined]);
    expect(tables.particles.name).toBe("");
    expect(rows.map((row) => [row.pose, row.class])).toEqual([
      [pose, 5],
      [pose, 6],
    ]);
    expect(tables.particles.columns).toEqual(expect.arrayContaining(["rlnOriginX", "rlnMagnification"]));
  });

  test("says a pixel size that only --apix said", () => {
    const { tables } = readParticleStar(star(none, none), 2.5);
    const source = { tables, rows: [0, 1] };
    const text = particleStar([pose, pose], { images: "a.mrcs", pixelSize: 2.5, box: 32, source });
    expect(readParticleStar(text)).toMatchObject({ pixelSize: 2.5 });
    const nominal = star({ rlnDetectorPixelSize: ["5", "5"], rlnMagnification: ["50000", "50000"] }, none);
    const other = { tables: readParticleStar(nominal, 2.5).tables, rows: [0, 1] };
    const again = particleStar([pose, pose], { images: "a.mrcs", pixelSize: 2.5, box: 32, source: other });
    expect(readParticleStar(again)).toMatchObject({ pixelSize: 2.5 });
  });
});

test("[STAR-5] a contrast transfer function is seen", () => {
  expect(readParticleStar(star({ rlnDefocusU: ["12000", "9000"] })).hasCtf).toBe(true);
  expect(readParticleStar(star({ rlnDefocusU: ["0", "0.0"] })).hasCtf).toBe(false);
  expect(readParticleStar(star(none)).hasCtf).toBe(false);
});
