import { expect, test } from "vitest";
import { readParticleStar } from "../../science/particle-star.ts";
import { readStar } from "../../science/star-read.ts";
import { particleStar } from "../../science/particle-star-write.ts";

/** Text in the style of relion_project 3.1: padded columns, a space after loop_, lines of one space. */
const relion = `
# version 30001

data_optics

loop_ 
_rlnOpticsGroup #1 
_rlnOpticsGroupName #2 
_rlnImagePixelSize #3 
           1 opticsGroup1     3.540000 
 

# version 30001

data_particles

loop_ 
_rlnImageName #1 
_rlnAngleRot #2 
_rlnAngleTilt #3 
_rlnAnglePsi #4 
_rlnOriginXAngst #5 
_rlnOriginYAngst #6 
_rlnRandomSubset #7 
000001@proj.mrcs    72.096724    69.024748    -92.64426     3.54     -7.08            1 
000012@dir/proj.mrcs    -99.63858    92.486655   -111.77401     0   0            2 
 
`;

test("particles as RELION writes them", () => {
  const { rows, pixelSize } = readParticleStar(relion);
  expect(pixelSize).toBe(3.54);
  expect(rows).toEqual([
    {
      index: 0,
      row: 0,
      stack: "proj.mrcs",
      pose: { rot: 72.096724, tilt: 69.024748, psi: -92.64426, originX: 1, originY: -2 },
      subset: 1,
    },
    {
      index: 11,
      row: 1,
      stack: "dir/proj.mrcs",
      pose: { rot: -99.63858, tilt: 92.486655, psi: -111.77401, originX: 0, originY: 0 },
      subset: 2,
    },
  ]);
});

test("a written table is read back", () => {
  const poses = [
    { rot: 1.5, tilt: 20.25, psi: -170, originX: 2, originY: -0.5 },
    { rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 },
  ];
  const text = particleStar(poses, {
    images: "stack.mrcs",
    pixelSize: 2,
    box: 64,
    subsets: [2, 1],
    columns: { rlnClassNumber: [3, 1] },
  });
  expect(readParticleStar(text)).toMatchObject({
    pixelSize: 2,
    rows: [
      { index: 0, stack: "stack.mrcs", pose: poses[0], class: 3, subset: 2 },
      { index: 1, stack: "stack.mrcs", pose: poses[1], class: 1, subset: 1 },
    ],
  });
});

test("single items, quotes and comments", () => {
  const table = readStar(`data_general\n_rlnName "two words" # why\n_rlnCount 3\n`).get("general");
  expect(table).toMatchObject({ columns: ["rlnName", "rlnCount"], rows: [["two words", "3"]] });
});

test.each([
  ["1 2\n", /line 1: "1" before any data block/],
  ["data_a\nloop_\n_x\n_y\n1\n", /line 5: 1 values; 2 columns/],
  ["data_a\nword\n", /line 2: "word"; "loop_" or an item/],
  ["data_a\n_x\n", /line 2: _x has no value/],
  ["data_a\n_x 1\ndata_a\n", /line 3: a second block data_a/],
  ["data_a\n_x 1\n_x 2\n", /line 3: a second column _x/],
  ["data_a\nloop_\n_x\n1\nloop_\n_y\n2\n", /line 5: a second loop in data_a/],
  ["data_a\nloop_\n_x\n'a b\n", /line 4: 'a begins with a quote that nothing ends/],
])("refuses %j", (text, message) => {
  expect(() => readStar(text)).toThrow(message);
});

test("[TEXT-1] a table in UTF-16 is refused by the name of that", () => {
  const text = Buffer.from("\ufeffdata_particles\n", "utf16le").toString("utf8");
  expect(() => readStar(text)).toThrow(/no text in UTF-8: .*UTF-16/);
});

test.each([
  ["data_micrographs\n", /blocks: data_micrographs; data_optics and data_particles of RELION 3.1/],
  [relion.replace("     3.540000", " -1"), /_rlnImagePixelSize: "-1"; a number from/],
  [
    relion.replace("_rlnImageName", "_rlnOther"),
    /data_particles: no column _rlnImageName; there are _rlnOther/,
  ],
  [relion.replace("000001@proj.mrcs", "proj.mrcs"), /image "proj.mrcs"; such as/],
])("refuses particles that lack something (%#)", (text, message) => {
  expect(() => readParticleStar(text)).toThrow(message);
});
