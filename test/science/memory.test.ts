import { expect, test } from "vitest";
import { computeOnHands } from "../../science/compute-hands.ts";
import type { Compute, MapOptions } from "../../science/compute.ts";
import { insertBlock, taskParticles, taskReferences } from "../../science/stage-settings.ts";
import { insertMemoryMb, reconstructionBytes, searchMemoryMb, sliceMemoryMb } from "../../science/memory.ts";
import { bytesOf, type ImageStack } from "../../science/stacks.ts";
import * as stages from "../../science/stages.ts";
import { symmetryOperators } from "../../science/symmetry.ts";
import { jobDefaults } from "../../shared/limits.ts";
import { DataReference } from "../../shared/data-reference.ts";
import { LivePlatform } from "../customer/live-platform.ts";

const patience = { timeout: 60_000 };
const pose = { rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 };
const insertOptions = { name: "Insert", symmetry: symmetryOperators("C1"), parts: 1, block: 125 };
const stackOf = (box: number): ImageStack => ({
  blobs: [new DataReference("0".repeat(64) as never, 4 * box * box)],
  perBlob: 1,
  count: 1,
  box,
});

test("boxes up to 128 pixels need no more than what every sandbox has", () => {
  expect(insertMemoryMb(128, insertBlock(128))).toBeLessThanOrEqual(jobDefaults.memoryMb);
  expect(sliceMemoryMb(128, 50)).toBeLessThanOrEqual(jobDefaults.memoryMb);
  const search = { box: 128, minRing: 1, maxRing: 32, particleRadius: 54, shiftRadius: 8, shiftStep: 1 };
  expect(
    searchMemoryMb({ ...search, mirror: true }, taskParticles(10_000, 128), taskReferences(128)),
  ).toBeLessThanOrEqual(jobDefaults.memoryMb);
});

/** Memory that a stage requests for its tasks, before it submits any. */
async function asked(run: (compute: Compute) => Promise<unknown>): Promise<number | undefined> {
  let given: MapOptions | undefined;
  const submit = (_: unknown, __: unknown, options: MapOptions): never => {
    given = options;
    throw new Error("submitted");
  };
  const compute: Compute = {
    put: (bytes) => Promise.resolve(new DataReference("0".repeat(64) as never, bytes.length)),
    map: submit,
    reduce: submit,
  };
  await expect(run(compute)).rejects.toThrow();
  return given?.memoryMb;
}

test("[IMAGE-6] larger ones ask for what they need", async () => {
  const insert = (box: number) => (compute: Compute) =>
    stages.insertStage(compute, stackOf(box), [pose], { ...insertOptions, maxRadius: box / 2 });
  expect(await asked(insert(256))).toBe(insertMemoryMb(256, 125));
  // The padded half cube alone, at 16 bytes a sample, takes 1.0 GiB.
  expect(insertMemoryMb(256, 125)).toBeGreaterThan(1028);
  expect(insertMemoryMb(256, 125)).toBeLessThan(3072);
});

test("[IMAGE-6] boxes that WebAssembly cannot hold are refused in one sentence, and nothing is submitted", async () => {
  const submitted = asked((compute) =>
    stages.insertStage(compute, stackOf(512), [pose], { ...insertOptions, maxRadius: 256 }),
  );
  expect(await submitted).toBeUndefined();
  expect(() => insertMemoryMb(512, 125)).toThrow(
    /^inserting images of 512 pixels takes 8.0 GiB of WebAssembly memory, which has 4;/,
  );
  expect(() => sliceMemoryMb(600, 25)).toThrow(/slices of a map of 600 voxels takes/);
  const search = { box: 512, minRing: 1, maxRing: 255, particleRadius: 250, shiftRadius: 60, shiftStep: 1 };
  expect(() => searchMemoryMb(search, 25, 100)).toThrow(
    /comparing images of 512 pixels over \d+ shifts takes/,
  );
  expect(reconstructionBytes(256) / 2 ** 30).toBeGreaterThan(3);
});

test("[IMAGE-6] a job asks for its memory and for clients that have it; that none has is told", async () => {
  const platform = await LivePlatform.start({ slots: 1 });
  try {
    const hands = await platform.connect();
    await expect.poll(async () => (await hands.clients()).length, patience).toBe(1);
    const [client] = await hands.clients();
    const warnings: string[] = [];
    const given = new AbortController();
    const warn = (warning: string): void => void warnings.push(warning);
    const compute = computeOnHands(hands, { name: "memory", warn, signal: given.signal });
    const map = await compute.put(bytesOf(Float32Array.from({ length: 512 }, (_, i) => i)));
    const input = { map, box: 8, poses: new Float64Array(5), maxRadius: 4 };
    const run = async (memoryMb: number): Promise<number> => {
      for await (const { output } of compute.map("project", [input], { name: "project", memoryMb }))
        return output.length;
      return 0;
    };
    expect(await run(10)).toBe(64);
    expect(await run(600)).toBe(64);
    expect(warnings).toEqual([]);
    const more = client!.memoryMb + 1;
    const waiting = run(more);
    const cancelled = expect(waiting).rejects.toThrow();
    await expect.poll(() => warnings, patience).toHaveLength(1);
    expect(warnings[0]).toMatch(new RegExp(`^project: a task takes ${more} MiB, and no client has as much`));
    await expect
      .poll(async () => (await hands.jobs()).some(({ state }) => state === "closed"), patience)
      .toBe(true);
    given.abort();
    await cancelled;
  } finally {
    await platform.close();
  }
});
