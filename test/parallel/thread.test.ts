import { once } from "node:events";
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect, TaskFailedError, type Hands } from "../../parallel/index.ts";
import { temporaryDirectory, until } from "../support/processes.ts";
import { cpuMsOf, descendantsOf, isAlive, listeningSockets } from "../support/process-tree.ts";

describe("[THREAD-1] threads end with the program", () => {
  it("opens no port while it computes, and leaves no process when it is killed", async () => {
    const program = startProgram("thread:2");
    await program.lines(3);
    const sandboxes = descendantsOf(program.pid);
    expect(sandboxes.length).toBeGreaterThanOrEqual(2);
    expect(listeningSockets(program.pid)).toEqual([]);
    await program.kill();
    await until(() => !sandboxes.some(isAlive));
  });

  it("closing resolves when no started process is left", async () => {
    const before = new Set(descendantsOf(process.pid));
    const hands = await connect("thread:2");
    await hands.map((x: number) => x, [1, 2, 3]);
    const started = descendantsOf(process.pid).filter((pid) => !before.has(pid));
    expect(started).not.toEqual([]);
    const endless = hands.map(() => {
      for (;;);
    }, [1]);
    await endless.id;
    const refused = expect(endless).rejects.toMatchObject({ code: "WRONG_STATE" });
    await hands[Symbol.asyncDispose]();
    await until(() => !started.some(isAlive));
    await expect(hands.status()).rejects.toMatchObject({ code: "WRONG_STATE" });
    await refused;
  });

  it("a program that does not close ends all the same", async () => {
    const code = `
      import { connect } from ${JSON.stringify(join(import.meta.dirname, "../../parallel/index.ts"))};
      const hands = await connect("thread:1");
      console.log(await hands.map((x) => x + 1, [1]));`;
    const program = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [first] = (await once(createInterface({ input: program.stdout }), "line")) as [string];
    expect(first).toBe("[ 2 ]");
    expect(await once(program, "exit")).toEqual([0, null]);
  });
});

it("[THREAD-2] with SCRATCH, a killed program goes on with its job where it stopped", async () => {
  const spec = `thread:2:${await temporaryDirectory()}`;
  const first = startProgram(spec, "60");
  const [id] = await first.lines(20);
  await first.kill();
  const second = startProgram(spec, "60");
  const lines = await second.lines(61);
  expect(lines[0]).toBe(id);
  const squares = lines.slice(1).map((line) => line.split(" ").map(Number));
  expect(squares.toSorted(([a = 0], [b = 0]) => a - b)).toEqual(
    Array.from({ length: 60 }, (_, x) => [x, x * x]),
  );
  // Results that were accepted are there at once; only the others are computed.
  expect(lines.slice(1, 19).toSorted()).toEqual(first.seen.slice(1, 19).toSorted());
});

it("[THREAD-2] two programs share a SCRATCH without meeting", async () => {
  const spec = `thread:1:${await temporaryDirectory()}`;
  const [one, other] = await Promise.all([open(spec), open(spec)]);
  const jobs = [
    one.map((x: number) => x, [1], { key: "k" }),
    other.map((x: number) => -x, [1], { key: "k" }),
  ];
  expect(await Promise.all(jobs)).toEqual([[1], [-1]]);
});

describe("[THREAD-3] a kernel that goes wrong fails its task, not the program", () => {
  it("out of memory, endless, or thrown away: the others are done", async () => {
    const hands = await open("thread:2");
    const bad = (x: number): number => {
      const hoard: unknown[] = [];
      if (x === 1) for (;;) hoard.push(new Float64Array(1e6).fill(1));
      if (x === 2) for (;;);
      if (x === 3) throw new RangeError("no threes");
      return x;
    };
    const job = hands.map(bad, [0, 1, 2, 3, 4], { memoryMb: 128, timeoutMs: 8000, maxAttempts: 1 });
    await expect(job).rejects.toBeInstanceOf(TaskFailedError);
    const kinds: unknown[] = [];
    for await (const { index, output, error } of job) kinds[index] = error?.kind ?? output;
    expect(kinds[0]).toBe(0);
    expect(["memory", "crash"]).toContain(kinds[1]);
    expect(kinds.slice(2)).toEqual(["timeout", "error", 4]);
    expect(await hands.map((x: number) => x, [7])).toEqual([7]);
  });
});

it("[FAIL-8] a job of which every task fails alike stops early, and says so", async () => {
  const hands = await open("thread:2");
  const never = (x: number): number => {
    throw new TypeError(`cannot use ${x}`);
  };
  const job = hands.map(
    never,
    Array.from({ length: 20_000 }, (_, i) => i),
  );
  await expect(job).rejects.toThrow(/Stopped early: .*TypeError: cannot use/);
});

it("[THREAD-4] a program that computes itself does not stop what it started", async () => {
  const hands = await open("thread:1");
  const work = (): number => {
    const end = Date.now() + 5;
    while (Date.now() < end);
    return Date.now();
  };
  const job = hands.map(work, Array<number>(600).fill(0), { math: "native" });
  for await (const _ of job) break;
  const sandboxes = descendantsOf(process.pid);
  const computedMs = (): number => sandboxes.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  const before = computedMs();
  const blockedFrom = Date.now();
  // Half of the tasks; a busy machine takes long over them.
  while (computedMs() < before + 1500 && Date.now() < blockedFrom + 30_000);
  const blockedTo = Date.now();
  const during = (await job).filter((at) => at > blockedFrom && at < blockedTo);
  // More than a client holds ahead, which it would do without a server.
  expect(during.length).toBeGreaterThan(160);
});

it("refuses a SCRATCH that cannot be used", async () => {
  await expect(connect("thread:1:/dev/null/nothing")).rejects.toMatchObject({ code: "DATA_DIRECTORY" });
});

async function open(spec: string): Promise<Hands> {
  const hands = await connect(spec);
  onTestFinished(() => hands[Symbol.asyncDispose]());
  return hands;
}

interface Program {
  readonly pid: number;
  readonly seen: readonly string[];
  /** Waits until the program has printed `count` lines. */
  lines(count: number): Promise<string[]>;
  kill(): Promise<void>;
}

function startProgram(...args: string[]): Program {
  const script = join(import.meta.dirname, "long-program.ts");
  const child: ChildProcess = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const seen: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (line) => seen.push(line));
  const exited = once(child, "exit");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  onTestFinished(kill);
  const lines = async (count: number): Promise<string[]> => {
    await until(() => seen.length >= count);
    return seen.slice(0, count);
  };
  return { pid: child.pid ?? 0, seen, lines, kill };
}
