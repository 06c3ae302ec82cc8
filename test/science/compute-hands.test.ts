import { afterAll, beforeAll, expect, test } from "vitest";
import type { Hands } from "../../customer/index.ts";
import { computeHere } from "../../science/compute-here.ts";
import { computeOnHands } from "../../science/compute-hands.ts";
import type { Compute } from "../../science/compute.ts";
import { evenViews } from "../../science/orientations.ts";
import { putStack } from "../../science/stacks.ts";
import { insertStage, projectStage } from "../../science/stages.ts";
import { symmetryOperators } from "../../science/symmetry.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { until } from "../support/processes.ts";
import { phantom } from "../support/phantom.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 0 });
  hands = await platform.connect();
});
afterAll(() => platform.close());

const map = phantom(16);
const poses = evenViews(40, symmetryOperators("C1")).map((view) => ({
  ...view,
  psi: 0,
  originX: 0,
  originY: 0,
}));
const project = (compute: Compute, count = poses.length): Promise<Float32Array> =>
  projectStage(compute, map, poses.slice(0, count), { name: "project", maxRadius: 8, block: 4 });
const resumable = (): Compute => computeOnHands(hands, { name: "test", resumable: true });

test("a stage that was cancelled is done anew, one that is done is not, other inputs are another job", async () => {
  const given = project(resumable());
  given.catch(() => undefined);
  const job = await until(async () => (await hands.jobs()).find(({ state }) => state === "closed"));
  await hands.job(job.id).cancel();
  await expect(given).rejects.toThrow(/cancelled/);

  platform.startClient(1);
  const images = await project(resumable());
  expect(images).toEqual(await project(computeHere()));
  const made = await hands.jobs();
  expect(made).toMatchObject([{ state: "finished", name: "test: project" }]);
  expect(made[0]!.id).not.toBe(job.id);

  expect(await project(resumable())).toEqual(images);
  expect((await hands.jobs()).map(({ id }) => id)).toEqual([made[0]!.id]);

  await project(resumable(), 5);
  expect(await hands.jobs()).toHaveLength(2);
});

test("[REDUCE-1] [REDUCE-3] particles are inserted on clients to the bits that one thread gives, and a killed program goes on", async () => {
  const box = 16;
  const images = await project(computeHere());
  const insert = async (compute: Compute) => {
    const stack = await putStack(compute, images, box);
    const options = { name: "insert", symmetry: symmetryOperators("C1"), maxRadius: 8, parts: 2, block: 1 };
    return insertStage(compute, stack, poses, options);
  };
  const before = (await hands.jobs()).length;
  const sums = await insert(resumable());
  expect(sums).toEqual(await insert(computeHere()));
  const made = (await hands.jobs()).slice(0, -before);
  expect(made.length).toBeGreaterThan(4);
  expect(await insert(resumable())).toEqual(sums);
  expect(await hands.jobs()).toHaveLength(before + made.length);
  await hands.job(made[0]!.id).delete();
  expect(await insert(resumable())).toEqual(sums);
});
