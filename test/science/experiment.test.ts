import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { expect, onTestFinished, test } from "vitest";
import { loadBetaGal } from "../../science/demo/betagal.ts";
import { runExperiment, type Experiment } from "../../science/demo/experiment.ts";
import { measure } from "../../science/demo/measure.ts";
import { writeResults } from "../../science/demo/write-results.ts";
import { computeHere } from "../../science/compute-here.ts";
import type { Compute } from "../../science/compute.ts";
import { readMrc, volumeOf } from "../../science/mrc.ts";

const truth = await loadBetaGal(32);

/** The demo's program without its server. */
function experiment(seed: string, compute: Compute = computeHere(), particles = 24): Promise<Experiment> {
  return runExperiment(compute, truth, { particles, snr: 1, seed }, (_, work) => work(() => undefined));
}

/** Finishes tasks in the opposite order, as clients of different speed would. */
function backwards(compute: Compute): Compute {
  return {
    put: (bytes) => compute.put(bytes),
    async *map(kernel, inputs, options) {
      const all = [];
      for await (const finished of compute.map(kernel, inputs, options)) all.push(finished);
      yield* all.reverse();
    },
    reduce: (kernel, inputs, options) => compute.reduce(kernel, inputs, options),
  };
}

const digest = (numbers: Float32Array): string =>
  createHash("sha256")
    .update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
    .digest("hex");

test("noisy particles of unknown orientation give the map back", async () => {
  const result = await experiment("1", computeHere(), 150);
  const measures = measure(result);
  // 2.2°, 0.8 Å, and correlation above 0.5 up to the last shell of this box, 15.1 Å, were measured.
  expect(measures.angleMedian).toBeLessThan(4);
  expect(measures.within10).toBeGreaterThan(0.95);
  expect(measures.shiftMedian).toBeLessThan(2);
  expect(measures.truthResolution).toBeLessThan(16);
  expect(result.truthFsc.values[0]).toBe(1);
});

test("the same seed gives the same bytes, in whatever order tasks finish; another seed others", async () => {
  const [one, again, other] = [
    await experiment("1"),
    await experiment("1", backwards(computeHere())),
    await experiment("2"),
  ];
  expect(digest(again.images)).toBe(digest(one.images));
  expect(again.poses).toEqual(one.poses);
  expect(digest(again.recovered.data)).toBe(digest(one.recovered.data));
  expect(digest(other.images)).not.toBe(digest(one.images));
});

test("results are files that other programs read", async () => {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-experiment-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const result = await experiment("3");
  const names = await writeResults(directory, result, "A test");
  const read = (name: string): Promise<Buffer> => readFile(join(directory, name));
  expect(names).toEqual(expect.arrayContaining(["map.mrc", "fsc.png", "fsc.csv", "contact-sheet.png"]));
  expect(volumeOf(readMrc(await read("map.mrc")))).toEqual({
    ...result.recovered,
    pixelSize: expect.closeTo(result.recovered.pixelSize, 4) as number,
  });
  expect(readMrc(await read("particles.mrcs")).header).toMatchObject({
    dimensions: [32, 32, 24],
    spaceGroup: 0,
  });
  const star = (await read("particles.star")).toString();
  expect(star).toContain("data_optics");
  expect(star.match(/^\d{6}@particles\.mrcs\t/gm)).toHaveLength(24);
  expect((await read("fsc.csv")).toString().trim().split("\n")).toHaveLength(17);
  for (const [name, width] of [
    ["fsc.png", 1200],
    ["contact-sheet.png", 1350],
  ] as const) {
    const image = PNG.sync.read(await read(name));
    expect(image.width).toBe(width);
    // A picture of many shades, not an empty sheet.
    expect(
      new Set(new Uint32Array(image.data.buffer, image.data.byteOffset, image.data.length / 4)).size,
    ).toBeGreaterThan(50);
  }
});
