import { describe, expect, test } from "vitest";
import { connect } from "../../parallel/index.ts";
import { computeHere } from "../../science/compute-here.ts";
import { computeOnHands } from "../../science/compute-hands.ts";
import type { Compute, KernelInput, KernelName } from "../../science/compute.ts";
import { addNoise } from "../../science/noise.ts";
import { centredPose, evenViews, randomPose } from "../../science/orientations.ts";
import { putStack, type ImageStack } from "../../science/stacks.ts";
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
import { availability, clientKinds, startClient } from "../support/browsers/start-client.ts";
import { readJob, readResults, submitJob } from "../support/jobs.ts";
import { phantom } from "../support/phantom.ts";
import { startServerProcess, temporaryDirectory, until } from "../support/processes.ts";

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
  const stackOf = (images: Float32Array): Promise<ImageStack> => putStack(compute, images, box, { task: 5 });
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
  const images2d = { particles: particles.blobs, box, ...search, mirror: true };
  const matrix = await one(compute, "simmx", { ...images2d, references: references.blobs });
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

test.each(["node", "chromium"] as const)("a client on %s computes the same bits", async (kind) => {
  const server = await startServerProcess(await temporaryDirectory());
  await startClient(kind, server);
  expect(await digestsOn(server.url, server.token)).toEqual(expected);
});

test("threads of this machine compute the same bits", async () => {
  expect(await digestsOn("thread:2")).toEqual(expected);
});

describe.each(clientKinds)("Math of jobs on %s", (kind) => {
  const { isMissing, why } = availability(kind);
  test.skipIf(isMissing)(`[BITS-1] [BITS-3] is the same bits, or native${why}`, async () => {
    const server = await startServerProcess(await temporaryDirectory());
    await startClient(kind, server);
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
  });
});

async function digestsOn(spec: string, token?: string): Promise<Record<string, string>> {
  const hands = await connect(spec, token === undefined ? {} : { token });
  try {
    return await digests(computeOnHands(hands, { name: "same-bits" }));
  } finally {
    await hands[Symbol.asyncDispose]();
  }
}
