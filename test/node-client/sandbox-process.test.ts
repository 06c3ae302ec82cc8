import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sandbox, SandboxHost, SandboxReport } from "../../shared/client/ports.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { readReport } from "../../shared/client/sandbox/report.ts";
import type { KernelVector } from "../contract/kernel-vectors.ts";
import { leavesTimers, worksOn } from "../contract/leftovers.ts";
import { measuredTimes, timeThieves, workMs } from "../contract/measured-time.ts";
import { runVector } from "../contract/run-vector.ts";
import { outputOf } from "../support/client-runner-harness.ts";
import { until } from "../support/processes.ts";
import { childrenOf, isAlive } from "../support/process-tree.ts";

const sandboxes = createProcessSandboxes();

describe("process sandbox: memory", () => {
  it.each([
    ["JavaScript objects", "const held = []; for (;;) held.push({ a: [held.length] });"],
    ["ArrayBuffers", "const held = []; for (;;) held.push(new Uint8Array(8 << 20).fill(1));"],
    [
      "ArrayBuffers, slowly and asynchronously",
      "return (async () => { const held = []; for (;;) { held.push(new Uint8Array(8 << 20).fill(1)); await null; } })();",
    ],
    [
      "WebAssembly memory",
      "const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 }); for (;;) { memory.grow(64); new Uint8Array(memory.buffer).fill(1); }",
    ],
  ])("[KERNEL] a kernel that fills memory with %s ends its sandbox and nothing else", async (name, body) => {
    const vector: KernelVector = {
      name,
      source: `export default () => { ${body} };`,
      input: null,
      memoryMb: 64,
      expect: { state: "ended", kind: "memory" },
    };
    const observed = await runVector(sandboxes, vector);
    // The system may refuse an allocation between two checks of the watch; the kernel then gets an exception instead.
    if (observed.state === "failed") expect(observed.message).toMatch(/allocation|memory|grow/i);
    else expect(observed).toMatchObject({ state: "ended", kind: "memory" });
  });

  it("lets a kernel use what its job allows", async () => {
    const vector: KernelVector = {
      name: "half of it",
      source: "export default () => new Uint8Array(128 << 20).fill(1).length;",
      input: null,
      memoryMb: 256,
      expect: { state: "done", output: 128 << 20 },
    };
    expect(await runVector(sandboxes, vector)).toMatchObject({ state: "done", output: 128 << 20 });
  });
});

describe("process sandbox: run time", () => {
  it.each(Object.entries(timeThieves))(
    "[KERNEL-5] a kernel that %s pays for all of it",
    async (_name, thief) => {
      const times = await measuredTimes(sandboxes, thief, 6);
      expect(times.reduce((sum, ms) => sum + ms)).toBeGreaterThanOrEqual(6 * workMs);
    },
  );
});

describe("process sandbox: between tasks", () => {
  it("[KERNEL-6] ends the timers of a task with it", async () => {
    const { reports, run } = await open(leavesTimers);
    await run([0, 1]);
    expect(outputsOf(reports)).toEqual(["undefined", 0]);
  });

  it("[KERNEL-6] stops a kernel that works on, until its next task", async () => {
    const before = childrenOf(process.pid);
    const { reports, run } = await open(worksOn);
    const [pid = 0] = childrenOf(process.pid).filter((child) => !before.includes(child));
    for (const input of [0, 1]) {
      await run([input]);
      // The system gives a stopped process (T) no time.
      await until(() => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "latin1")));
    }
    expect(outputsOf(reports)).toEqual([0, 1]);
  });

  it("[KERNEL-6] ends a stopped sandbox like any other", async () => {
    const { sandbox, run } = await open("export default (x) => x");
    await run([0]);
    await new Promise((resolve) => setImmediate(resolve));
    sandbox.terminate();
    expect(await sandbox.ended).toEqual({ kind: "crash", reason: undefined });
  });
});

describe("process sandbox: a process of its own", () => {
  it("starts without environment and with no right left", async () => {
    const { sandbox } = await open("export default () => 1;");
    const pid = childrenOf(process.pid).at(-1)!;
    const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
    for (const entry of environment.split("\0").filter(Boolean))
      expect(entry).toMatch(/^(TZ=UTC|NODE_CHANNEL_FD=\d+|NODE_CHANNEL_SERIALIZATION_MODE=advanced)$/);
    sandbox.terminate();
  });

  it("reports a bundle in order, one report for many small tasks", async () => {
    const { sandbox, reports, run } = await open("export default (x, ctx) => x + ctx.index;");
    await run(Array.from({ length: 500 }, (_, at) => at));
    const finished = reports.flatMap((report) => report.finished ?? []);
    expect(finished.map(({ index }) => index)).toEqual(Array.from({ length: 500 }, (_, at) => at));
    expect(reports.length).toBeLessThan(100);
    sandbox.terminate();
  });

  it("moves large values both ways", async () => {
    const { sandbox, reports, run } = await open("export default (bytes) => bytes.map((byte) => byte + 1);");
    await run([new Uint8Array(20_000_000).fill(7)]);
    const [task] = reports.flatMap((report) => report.finished ?? []);
    if (task?.outcome.state !== "done") throw new Error(JSON.stringify(task));
    expect(task.outcome.output.length).toBe(20_000_005);
    expect(task.outcome.output.at(-1)).toBe(8);
    sandbox.terminate();
  });

  it("rejects what is under way when it is terminated, and every call after", async () => {
    const { sandbox, run } = await open("export default () => { for (;;); };");
    const running = run([1]);
    sandbox.terminate();
    await expect(running).rejects.toThrow();
    expect(await sandbox.ended).toEqual({ kind: "crash", reason: undefined });
    await expect(run([1])).rejects.toThrow();
  });

  it("tells the reason of an exception that nothing caught", async () => {
    const { sandbox, run } = await open(
      'export default () => new Promise(() => setTimeout(() => { throw new Error("into the void"); }));',
    );
    await expect(run([1])).rejects.toThrow(/into the void/);
    expect(await sandbox.ended).toMatchObject({
      kind: "crash",
      reason: expect.stringMatching(/into the void/),
    });
  });

  it("leaves no process behind: 20 sandboxes, five at a time", async () => {
    const before = childrenOf(process.pid);
    for (let round = 0; round < 4; round++) {
      const opened = await Promise.all(Array.from({ length: 5 }, () => open("export default () => 1;")));
      for (const { sandbox } of opened) sandbox.terminate();
      await Promise.all(opened.map(({ sandbox }) => sandbox.ended));
    }
    expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
  });
});

describe("process sandbox: its client is gone", () => {
  it.each(["SIGKILL", "SIGTERM"] as const)("a hanging kernel dies with its client (%s)", async (signal) => {
    const holder = spawn(process.execPath, [join(import.meta.dirname, "hanging-client.ts")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void holder.kill("SIGKILL"));
    const [line] = (await once(createInterface({ input: holder.stdout }), "line")) as [string];
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    holder.kill(signal);
    await until(() => !isAlive(pid));
  });
});

function outputsOf(reports: readonly SandboxReport[]): Value[] {
  return reports.flatMap(({ finished = [] }) => finished).map(outputOf);
}

interface Opened {
  readonly sandbox: Sandbox;
  readonly reports: SandboxReport[];
  readonly run: (inputs: readonly (number | Uint8Array)[]) => Promise<void>;
}

async function open(source: string): Promise<Opened> {
  const reports: SandboxReport[] = [];
  const host: SandboxHost = {
    data: () => Promise.reject(new Error("no data here")),
    put: () => Promise.reject(new Error("no room here")),
    report: (report) => void reports.push(readReport(report)),
  };
  const sandbox = await sandboxes.create(host, { slot: 0, memoryMb: 256 });
  onTestFinished(() => sandbox.terminate());
  const bytes = new TextEncoder().encode(source);
  const kernelSha256 = sha256Hex(bytes);
  await sandbox.load(kernelSha256, bytes);
  return {
    sandbox,
    reports,
    run: (inputs) =>
      sandbox.run({
        kernelSha256,
        seed: "0",
        tasks: packTasks(inputs.map((input, index) => ({ index, attempt: 1, input: encodeValue(input) }))),
      }),
  };
}
