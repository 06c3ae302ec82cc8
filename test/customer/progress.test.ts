import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, PlatformError, type Hands, type Progress } from "../../parallel/index.ts";
import { root, temporaryDirectory } from "../support/processes.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

const gate = Promise.withResolvers<number>();
const later = Promise.withResolvers<number>();

describe("[PROGRESS-2] progress that is pushed", () => {
  it("comes without anybody reading results, and tells what a job waits for", async () => {
    const open = hands.map(
      (x: number) => x,
      (async function* () {
        yield await gate.promise;
      })(),
    );
    const seen: Progress[] = [];
    const second = hands.map((x: number) => x + 1, [1], {
      after: [open],
      onProgress: (progress) => seen.push(progress),
    });
    await second.submitted;
    const id = await open.id;
    await expect.poll(() => seen.at(-1)).toMatchObject({ waitingFor: [id], queued: 1 });
    gate.resolve(1);
    await expect.poll(() => seen.at(-1)).toMatchObject({ state: "finished", done: 1, waitingFor: [] });
  });

  it("goes on across a restart of the server", async () => {
    const seen: Progress[] = [];
    const job = hands.map(
      (x: number) => x,
      (async function* () {
        yield 1;
        yield await later.promise;
      })(),
      { key: "restarted", onProgress: (progress) => seen.push(progress) },
    );
    await expect.poll(() => seen.at(-1)?.done).toBe(1);
    await platform.restart();
    const before = seen.length;
    later.resolve(2);
    await job.submitted;
    await expect.poll(() => seen.at(-1)).toMatchObject({ state: "finished", done: 2 });
    expect(seen.length).toBeGreaterThan(before);
    expect(await job).toEqual([1, 2]);
  });

  it("is asked for once a second where the server has too many readers", async () => {
    const { http } = hands.api;
    const real = http.open.bind(http);
    const refused: string[] = [];
    // A refusal of the real server would take a thousand readers.
    http.open = (request) => {
      if (!request.path.endsWith("/progress")) return real(request);
      refused.push(request.path);
      return Promise.reject(new PlatformError("TOO_MANY", "Too many readers."));
    };
    try {
      const seen: Progress[] = [];
      const job = hands.map((x: number) => x, [1, 2], { onProgress: (progress) => seen.push(progress) });
      await job.submitted;
      await expect.poll(() => seen.at(-1)).toMatchObject({ state: "finished", done: 2 });
      expect(refused.length).toBeGreaterThan(0);
    } finally {
      http.open = real;
    }
  });

  it.each(["a server", "threads"])(
    "does not keep a program running that has nothing else to do (%s)",
    async (where) => {
      const program = join(await temporaryDirectory(), "leaves.ts");
      await writeFile(
        program,
        `import { connect } from ${JSON.stringify(join(root, "parallel", "index.ts"))};
      const hands = await connect();
      const busy = setInterval(() => undefined, 1000);
      await new Promise((told) =>
        hands.map(async () => new Promise(() => undefined), [1], {
          onProgress({ total }) { console.log("total " + total); if (total === 1) told(); },
        }),
      );
      clearInterval(busy);`,
      );
      const env =
        where === "threads" ? { ...process.env, MANYHANDS_PARALLEL: "thread:1" } : platform.environment;
      const { stdout } = await promisify(execFile)(process.execPath, [program], { env, timeout: 90_000 });
      expect(stdout).toMatch(/^total \d/);
    },
  );

  it("is the same under threads", async () => {
    await using threads = await connect("thread:2");
    const seen: Progress[] = [];
    const job = threads.map(
      async (_x: number, ctx) => {
        // Clients report progress every 500 ms, so the task has to take several times as long.
        for (let share = 0; share < 1; share += 0.05) {
          ctx.progress(share);
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      },
      [1],
      { onProgress: (progress) => seen.push(progress) },
    );
    await job;
    const moving = new Set(seen.filter(({ running }) => running === 1).map(({ fraction }) => fraction));
    expect(moving.size).toBeGreaterThanOrEqual(3);
    expect(seen.at(-1)).toMatchObject({ state: "finished", fraction: 1 });
  });
});
