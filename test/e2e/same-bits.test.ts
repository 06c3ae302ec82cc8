import { describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../../parallel/index.ts";
import { computeHere } from "../../science/compute-here.ts";
import { computeOnHands } from "../../science/compute-hands.ts";
import type { Compute, KernelInput, KernelName } from "../../science/compute.ts";
import { addNoise } from "../../science/noise.ts";
import { centredPose, evenViews, randomPose } from "../../science/orientations.ts";
import * as stages from "../../science/stages.ts";
import { symmetryOperators } from "../../science/symmetry.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { packCandidates } from "../../science/kernels/math/candidates.ts";
import { seededRandom } from "../../shared/random.ts";
import {
  localKernel,
  localValues,
  portableDigests,
  portableKernel,
  simdKernel,
  simdOutcomes,
} from "../contract/portable-values.ts";
import { launchBrowser } from "../support/browser.ts";
import { engines, whySkipped } from "../support/browsers/engines.ts";
import { launchEngine } from "../support/browsers/launch-engine.ts";
import { readJob, readResults, submitJob } from "../support/jobs.ts";
import { phantom } from "../support/phantom.ts";
import { startClientProcess, startServerProcess, temporaryDirectory, until } from "../support/processes.ts";

const box = 24;
const map = phantom(box);
const group = symmetryOperators("C1");
const random = seededRandom("same bits");
const poses = Array.from({ length: 12 }, () => randomPose(random, 2));
const views = evenViews(40, group);
const centred = views.map(centredPose);
const band = { minRing: 1, maxRing: 8 };
const search = { ...band, particleRadius: 9, shiftRadius: 2, shiftStep: 1 };

/** A digest of each kernel's outputs in a small experiment with the cryo-EM programs. */
async function digests(compute: Compute): Promise<Record<string, string>> {
  const project = (list: typeof poses): Promise<Float32Array> =>
    stages.projectStage(compute, map, list, { name: "project", maxRadius: box / 2, block: 5 });
  const stackOf = async (images: Float32Array): Promise<stages.ImageStack> => ({
    ref: await compute.put(stages.bytesOf(images)),
    count: images.length / box ** 2,
    box,
  });
  const images = addNoise(await project(poses), box * box, 1, seededRandom("noise"));
  const projections = await project(centred);
  const [particles, references] = [await stackOf(images), await stackOf(projections)];
  const blocks = { particleBlock: 5, referenceBlock: 11, keep: 2 };
  const candidates = await stages.searchStage(compute, particles, references, views, {
    name: "align",
    ...search,
    ...blocks,
  });
  const steps = { step: 6, endStep: 1, block: 5 };
  const refined = await stages.refineStage(compute, particles, [map], candidates, {
    name: "refine",
    ...band,
    ...steps,
  });
  const [sum] = await stages.insertStage(compute, particles, refined, {
    name: "insert",
    symmetry: symmetryOperators("D2"),
    maxRadius: box / 2,
    parts: 1,
    block: 5,
  });
  const images2d = { particles: particles.ref, box, ...search, mirror: true };
  const matrix = await one(compute, "simmx", { ...images2d, references: references.ref });
  const average = await one(compute, "average", { ...images2d, reference: null, iterations: 2, keep: 0.8 });
  const outputs = {
    images,
    projections,
    candidates: packCandidates(candidates, 2),
    refined: packCandidates(
      refined.map((pose) => [pose]),
      1,
    ),
    sum: sum!.data,
    weights: sum!.weights,
    matrix,
    average,
  };
  return Object.fromEntries(
    Object.entries(outputs).map(([name, output]) => [name, sha256Hex(encodeValue(output))]),
  );
}

async function one<K extends KernelName>(compute: Compute, kernel: K, input: KernelInput<K>): Promise<Value> {
  for await (const { output } of compute.map(kernel, [input], { name: kernel })) return output;
  throw new Error("no output");
}

const expected = await digests(computeHere());

test("a warm worker with memory of earlier tasks computes the same bits; so do interleaved tasks", async () => {
  expect(await digests(computeHere())).toEqual(expected);
  const both = await Promise.all([digests(computeHere()), digests(computeHere())]);
  expect(both).toEqual([expected, expected]);
});

test("a node client computes the same bits", async () => {
  const server = await startServerProcess(await temporaryDirectory());
  await startClientProcess(server);
  expect(await digestsOn(server.url, server.token)).toEqual(expected);
});

test("a Chromium tab computes the same bits", async () => {
  const server = await startServerProcess(await temporaryDirectory());
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.goto(`${server.url}/?auto=1`);
  expect(await digestsOn(server.url, server.token)).toEqual(expected);
});

test("threads of this machine compute the same bits", async () => {
  expect(await digestsOn("thread:2")).toEqual(expected);
});

describe.each(["node", "chromium", "firefox", "webkit"] as const)("Math of jobs on %s", (kind) => {
  test.skipIf(kind !== "node" && !engines[kind])(
    `[BITS-1] [BITS-3] is the same bits, or native${kind === "node" ? "" : whySkipped(kind)}`,
    async () => {
      const server = await startServerProcess(await temporaryDirectory());
      if (kind === "node") await startClientProcess(server);
      else {
        const browser = await launchEngine(kind);
        onTestFinished(() => browser.close());
        await (await browser.newTab()).open(`${server.url}/?auto=1`);
      }
      const outputOf = async (source: string, options: object): Promise<unknown> => {
        const id = await submitJob(server, source, [null], options);
        await until(async () => (await readJob(server, id)).state === "finished", 60_000);
        return (await readResults(server, id))[0];
      };
      expect(await outputOf(portableKernel, { seed: "seed" })).toMatchObject({ output: portableDigests });
      expect(await outputOf(localKernel, {})).toMatchObject({ output: localValues });
      expect(await outputOf(simdKernel, {})).toMatchObject({ output: simdOutcomes });
      const local = "export default () => [typeof Intl, Math.random() < 1, performance.now() > 0];";
      expect(await outputOf(local, { math: "native" })).toMatchObject({ output: ["object", true, true] });
      expect(await outputOf(local, { maxAttempts: 1 })).toMatchObject({
        message: expect.stringContaining("ctx.random()"),
      });
    },
  );
});

async function digestsOn(spec: string, token?: string): Promise<Record<string, string>> {
  const hands = await connect(spec, token === undefined ? {} : { token });
  try {
    return await digests(computeOnHands(hands, { name: "same-bits" }));
  } finally {
    await hands[Symbol.asyncDispose]();
  }
}
