import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { python } from "../../customer/index.ts";
import { LivePlatform } from "../customer/live-platform.ts";
import { temporaryDirectory } from "../support/processes.ts";

let platform: LivePlatform;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 1 });
});
afterAll(() => platform.close());

it("[PYTHON-5] the task with which Python starts has the randomness that it has in a sandbox where Python runs", async () => {
  const path = join(await temporaryDirectory(), "model.py");
  await writeFile(path, "import random\n\ndef draw(_, ctx):\n    return [random.random(), ctx.random()]\n");
  const hands = await platform.connect();
  const drawn = async () => (await hands.map(python(`${path}:draw`), [0, 1], { seed: "s" })) as number[][];
  // The client keeps the sandbox, because the kernel is the same.
  const first = await drawn();
  expect(await drawn()).toEqual(first);
  expect(new Set(first.flat()).size).toBe(4);
});
