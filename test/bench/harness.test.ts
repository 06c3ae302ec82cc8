import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../support/processes.ts";
import { processesWith } from "../support/process-table.ts";

const main = join(import.meta.dirname, "..", "..", "bench", "main.ts");
/** A peer that needs no package of its own. */
const oneComparison = ["dispatch", "--case", "node client", "--peer", "100 a message", "--no-install"];

test("a comparison runs real processes, checks their outputs and tells the ratio", async () => {
  const bench = await startBench([...oneComparison, "--quick", "--json"]);
  const [line, ...more] = (await bench.end()).output.trimEnd().split("\n");
  expect(more).toEqual([]);
  const result = JSON.parse(line!) as { manyhands: number; peer: number; ratio: number };
  expect(result).toMatchObject({
    topic: "dispatch",
    case: "node client",
    peerName: "ws queue, 100 a message",
    unit: "tasks/s",
  });
  expect(result.manyhands).toBeGreaterThan(0);
  expect(result.peer).toBeGreaterThan(0);
  expect(result.ratio).toBeCloseTo(result.manyhands / result.peer, 3);
  expect(await readdir(bench.directory)).toEqual([]);
});

test("interrupted in the middle of a run it leaves no process and no file", async () => {
  const bench = await startBench(oneComparison);
  // The server's data directory shows that the run has begun.
  await until(async () => {
    const [run] = await readdir(bench.directory);
    // The run before may be removed between the two readings.
    return run !== undefined && (await readdir(join(bench.directory, run)).catch(() => [])).length > 0;
  });
  bench.process.kill("SIGINT");
  const { code } = await bench.end();
  expect(code).toBe(130);
  expect(await readdir(bench.directory)).toEqual([]);
  expect(processesWith(bench.directory)).toEqual([]);
});

interface Bench {
  readonly process: ReturnType<typeof spawn>;
  /** Temporary directory of the run. */
  readonly directory: string;
  readonly end: () => Promise<{ code: number | null; output: string }>;
}

async function startBench(flags: readonly string[]): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-test-bench-"));
  const child = spawn(process.execPath, [main, ...flags], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const closed = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const end = async (): Promise<{ code: number | null; output: string }> => {
    const [code] = (await closed) as [number | null];
    return { code, output };
  };
  return { process: child, directory, end };
}
