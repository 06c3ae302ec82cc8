import { expect, test } from "vitest";
import { computeHere } from "../../../science/compute-here.ts";
import type { KernelInput, KernelName } from "../../../science/compute.ts";
import { bytesOf } from "../../../science/stacks.ts";
import { packOperators, symmetryOperators } from "../../../science/symmetry.ts";
import { phantom } from "../../support/phantom.ts";

const box = 16;
const compute = computeHere();
const images = Float32Array.from({ length: 2 * box * box }, (_, i) => Math.sin(i));
const put = (numbers: Float32Array) => compute.put(bytesOf(numbers));
const changed = (at: number, value: number): Float32Array =>
  images.map((pixel, i) => (i === at ? value : pixel));
const particles = await put(images);
const map = await put(phantom(box).data);
const search = { minRing: 1, maxRing: 6, particleRadius: 6, shiftRadius: 1, shiftStep: 1 };
const views = Float64Array.of(0, 0, 10, 20);
const poses = new Float64Array(10);
const two = { particles: [particles], box };

/** A valid input of each kernel. */
const good: { readonly [K in KernelName]: KernelInput<K> } = {
  align: { ...two, ...search, references: [particles], views, firstReference: 0, keep: 1 },
  simmx: { ...two, ...search, references: [particles], mirror: true },
  average: { ...two, ...search, reference: null, mirror: true, iterations: 1, keep: 1 },
  project: { map, box, poses, maxRadius: 8 },
  insert: {
    ...two,
    poses,
    weights: Float64Array.of(1, 1),
    symmetry: packOperators(symmetryOperators("C2")),
    maxRadius: 8,
  },
  refine: {
    ...two,
    map,
    candidates: new Float64Array(14),
    keep: 1,
    minRing: 1,
    maxRing: 6,
    step: 3,
    endStep: 1,
  },
};

async function run<K extends KernelName>(kernel: K, changes: Partial<KernelInput<K>> = {}): Promise<void> {
  const input = { ...good[kernel], ...changes } as KernelInput<K>;
  for await (const { output } of compute.map(kernel, [input], { name: kernel })) expect(output).toBeTruthy();
}

const kernels = Object.keys(good) as KernelName[];
const searching = ["align", "simmx", "average"] as const;

test.each(kernels)("%s computes with good numbers", (kernel) => run(kernel));

const wrong = [NaN, Infinity, -Infinity, -1, 0, 1e9];
test.each(kernels)("[IMAGE-4] %s refuses a box that is no side of an image", async (box) => {
  for (const value of [...wrong, 15, 16.5]) await expect(run(box, { box: value })).rejects.toThrow(/box/);
});

test.each(searching)(
  "[IMAGE-4] %s refuses rings, radii and shifts that are no numbers or far out of range",
  async (kernel) => {
    for (const value of [...wrong, 1.5])
      await expect(run(kernel, { minRing: value })).rejects.toThrow(/minRing/);
    for (const value of [...wrong, 9])
      await expect(run(kernel, { maxRing: value })).rejects.toThrow(/maxRing/);
    for (const value of [NaN, Infinity, -1, 17])
      await expect(run(kernel, { particleRadius: value })).rejects.toThrow(/particleRadius/);
    for (const value of wrong) await expect(run(kernel, { shiftStep: value })).rejects.toThrow(/shiftStep/);
    // A radius of 15 Å in pixels of 0 Å would make an endless grid.
    for (const value of [NaN, 15 / 0, -1])
      await expect(run(kernel, { shiftRadius: value })).rejects.toThrow(/shiftRadius/);
    await expect(run(kernel, { shiftRadius: 16, shiftStep: 0.01 })).rejects.toThrow(
      /at most 100000 can be tried/,
    );
  },
);

test("[IMAGE-4] align refuses views that are no numbers, or not one for each reference", async () => {
  await expect(run("align", { views: Float64Array.of(0, 0, NaN, 0) })).rejects.toThrow(/views: number 3/);
  await expect(run("align", { views: Float64Array.of(0, 0) })).rejects.toThrow(/2 references with 1 views/);
  for (const keep of [...wrong.slice(0, 4), 1.5])
    await expect(run("align", { keep })).rejects.toThrow(/keep/);
});

test("[IMAGE-4] average refuses rounds and parts that are none", async () => {
  for (const iterations of [...wrong, 1.5])
    await expect(run("average", { iterations })).rejects.toThrow(/iterations/);
  for (const keep of [...wrong, 1.1]) await expect(run("average", { keep })).rejects.toThrow(/keep/);
});

test.each(["project", "insert"] as const)(
  "[IMAGE-4] %s refuses poses and radii that are no numbers",
  async (kernel) => {
    const odd = poses.map((_, i) => (i === 7 ? NaN : 0));
    await expect(run(kernel, { poses: odd })).rejects.toThrow(/poses: number 8 of 10 is NaN/);
    for (const maxRadius of [NaN, Infinity, 0, -1])
      await expect(run(kernel, { maxRadius })).rejects.toThrow(/maxRadius/);
  },
);

test("[IMAGE-4] insert refuses weights that are missing or no numbers, and symmetry that is no rotation", async () => {
  await expect(run("insert", { weights: Float64Array.of(1) })).rejects.toThrow(
    /2 images with 2 poses and 1 weights/,
  );
  await expect(run("insert", { weights: Float64Array.of(1, Infinity) })).rejects.toThrow(/weights: number 2/);
  const { symmetry } = good.insert;
  await expect(run("insert", { symmetry: new Float64Array() })).rejects.toThrow(/symmetry of 0 numbers/);
  for (const value of [NaN, 0, 5]) {
    const odd = symmetry.map((cell, i) => (i === 9 ? value : cell));
    await expect(run("insert", { symmetry: odd })).rejects.toThrow(/symmetry: number 2 is no rotation/);
  }
});

test("[IMAGE-4] refine refuses steps and candidates that are no numbers", async () => {
  for (const step of [...wrong.slice(0, 5), 360])
    await expect(run("refine", { step })).rejects.toThrow(/step/);
  for (const endStep of wrong) await expect(run("refine", { endStep })).rejects.toThrow(/endStep/);
  for (const maxRing of wrong) await expect(run("refine", { maxRing })).rejects.toThrow(/maxRing/);
  const odd = Float64Array.from({ length: 14 }, (_, i) => (i === 10 ? Infinity : 0));
  await expect(run("refine", { candidates: odd })).rejects.toThrow(/candidates: number 11/);
  await expect(run("refine", { candidates: new Float64Array(7) })).rejects.toThrow(
    /candidates of 1 particles for 2/,
  );
});

test("[IMAGE-1] images and maps with something that is no number are refused, and named", async () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const odd = await put(changed(box * box + 3, value));
    for (const kernel of [...searching, "refine", "insert"] as const)
      await expect(run(kernel, { particles: [particles, odd] })).rejects.toThrow(
        `particle 4 of 4 has a pixel of ${value}`,
      );
    for (const kernel of ["align", "simmx"] as const)
      await expect(run(kernel, { references: [odd] })).rejects.toThrow("reference 2 of 2");
    const { data } = phantom(box);
    data[5] = value;
    for (const kernel of ["project", "refine"] as const)
      await expect(run(kernel, { map: await put(data) })).rejects.toThrow(
        `the map has a density of ${value}`,
      );
  }
});

test("images that are cut off are refused", async () => {
  const cut = await put(images.subarray(1));
  for (const kernel of [...searching, "refine", "insert"] as const) {
    await expect(run(kernel, { particles: [particles, cut] })).rejects.toThrow(
      /2044 bytes; particles of 16 × 16/,
    );
    await expect(run(kernel, { particles: [] })).rejects.toThrow(/0 bytes; particles of 16 × 16/);
  }
});

test("memory that WebAssembly cannot have is refused with its amount", async () => {
  const { Engine } = await import("../../../science/kernels/wasm/engine.ts");
  const engine = new Engine();
  for (const bytes of [NaN, -1, Infinity, 2 ** 33]) expect(() => engine.take(bytes)).toThrow(/room for/);
  engine.take(2 ** 20);
  expect(() => engine.take(2 ** 32 - 2 ** 19)).toThrow(/MiB more than the \d+ MiB/);
});
