import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const launcher = join(import.meta.dirname, "..", "..", "bin", "manyhands.js");

interface Demo {
  readonly scratch: string;
  readonly out: string;
  readonly exit: Promise<number | null>;
  stdout(): string;
  stderr(): string;
  interrupt(): void;
}

/** Starts the demo with a temporary directory of its own, so that what it leaves behind is seen. */
async function startDemo(): Promise<Demo> {
  const scratch = await mkdtemp(join(tmpdir(), "manyhands-test-demo-"));
  const out = join(scratch, "out");
  const flags = ["--particles", "40", "--box", "32", "--snr", "1", "--port", "0", "--json", "--out", out];
  const child = spawn(process.execPath, [launcher, "demo", ...flags], {
    env: { ...process.env, TMPDIR: scratch },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const exit = once(child, "close").then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exit;
    await rm(scratch, { recursive: true, force: true });
  });
  return {
    scratch,
    out,
    exit,
    stdout: () => stdout,
    stderr: () => stderr,
    interrupt: () => child.kill("SIGINT"),
  };
}

/** Processes of this machine whose command line names a directory. */
async function processesNaming(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const id of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
    if (command.includes(directory)) found.push(command.replaceAll("\0", " "));
  }
  return found;
}

test("the demo computes on its two clients and leaves nothing but its results", async () => {
  const demo = await startDemo();
  expect(await demo.exit, demo.stderr()).toBe(0);
  const summary = JSON.parse(demo.stdout()) as Record<string, unknown>;
  expect(summary).toMatchObject({ particles: 40, angleMedian: expect.any(Number) as number });
  expect(summary["angleMedian"]).toBeLessThan(6);
  const clients = summary["clients"] as { kind: string; tasks: number }[];
  // A last task may be leased twice (speculation), so clients can have done more than there were.
  expect(clients.reduce((sum, client) => sum + client.tasks, 0)).toBeGreaterThanOrEqual(
    summary["tasks"] as number,
  );
  expect(demo.stderr()).toContain("Open it in a browser");
  expect(await readdir(demo.out)).toEqual(
    expect.arrayContaining(["map.mrc", "fsc.png", "contact-sheet.png"]),
  );
  expect(await readdir(demo.scratch)).toEqual(["out"]);
  expect(await processesNaming(demo.scratch)).toEqual([]);
});

test("interrupted, it ends its server and clients before itself", async () => {
  const demo = await startDemo();
  await expect.poll(() => demo.stderr(), { timeout: 60_000 }).toContain("Particles");
  demo.interrupt();
  expect(await demo.exit).toBe(130);
  expect(await processesNaming(demo.scratch)).toEqual([]);
  expect(await readdir(demo.scratch)).toEqual([]);
});
