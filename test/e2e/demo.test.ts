import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { processesWith } from "../support/process-table.ts";
import { launcher, startNode, type Running } from "../support/processes.ts";

interface Demo extends Running {
  readonly scratch: string;
  readonly out: string;
}

/** Starts the demo with a temporary directory of its own, so that the test sees leftovers. */
async function startDemo(): Promise<Demo> {
  const scratch = await mkdtemp(join(tmpdir(), "manyhands-test-demo-"));
  const out = join(scratch, "out");
  const flags = ["--particles", "40", "--box", "32", "--snr", "1", "--port", "0", "--json", "--out", out];
  const demo = startNode([launcher, "demo", ...flags], { env: { ...process.env, TMPDIR: scratch } });
  onTestFinished(async () => {
    demo.process.kill("SIGTERM");
    await demo.ended;
    await rm(scratch, { recursive: true, force: true });
  });
  return { ...demo, scratch, out };
}

test("the demo computes on its two clients and leaves nothing but its results", async () => {
  const demo = await startDemo();
  expect(await demo.ended, demo.log()).toBe(0);
  const summary = JSON.parse(demo.output()) as Record<string, unknown>;
  expect(summary).toMatchObject({ particles: 40, angleMedian: expect.any(Number) as number });
  expect(summary["angleMedian"]).toBeLessThan(6);
  const clients = summary["clients"] as { kind: string; tasks: number }[];
  // A last task may be leased twice (backup task), so clients can have done more tasks than there are.
  expect(clients.reduce((sum, client) => sum + client.tasks, 0)).toBeGreaterThanOrEqual(
    summary["tasks"] as number,
  );
  expect(demo.log()).toContain("Open it in a browser");
  expect(await readdir(demo.out)).toEqual(
    expect.arrayContaining(["map.mrc", "fsc.png", "contact-sheet.png"]),
  );
  expect(await readdir(demo.scratch)).toEqual(["out"]);
  expect(processesWith(demo.scratch)).toEqual([]);
});

test("interrupted, it ends its server and clients before itself", async () => {
  const demo = await startDemo();
  await expect.poll(() => demo.log(), { timeout: 60_000 }).toContain("Particles");
  demo.process.kill("SIGINT");
  expect(await demo.ended).toBe(130);
  expect(processesWith(demo.scratch)).toEqual([]);
  expect(await readdir(demo.scratch)).toEqual([]);
});
