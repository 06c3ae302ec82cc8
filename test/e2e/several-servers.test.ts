import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "puppeteer";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../../customer/index.ts";
import { python, PythonProgram, whySkipped } from "../python/programs.ts";
import { labHost, launchBrowser } from "../support/browser.ts";
import { freePort } from "../../bench/harness/services/ports.ts";
import { readClients, readJob, readResults, request, submitJob } from "../support/jobs.ts";
import { openPage, press, untilText } from "../support/pages.ts";
import { descendantsOf } from "../support/process-tree.ts";
import {
  run,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type Running,
  type RunningServerProcess,
} from "../support/processes.ts";

/** Runs for `ms`; its output says when it began and ended, by the clock of the machine. */
const timed = `export default async ({ ms }, ctx) => {
  const from = Date.now();
  while (Date.now() < from + ms) {
    ctx.progress((Date.now() - from) / ms);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { from, to: Date.now() };
};`;

interface Times {
  readonly from: number;
  readonly to: number;
}

/** Two addresses under which one data directory is served: first at one, after its server was killed at the other. */
class TwoAddresses {
  readonly urls: readonly [string, string];
  readonly #data: string;
  readonly #flags: readonly string[];

  private constructor(data: string, urls: readonly [string, string], flags: readonly string[]) {
    this.#data = data;
    this.urls = urls;
    this.#flags = flags;
  }

  /** @param host - name under which browsers reach the servers */
  static async make(host = "127.0.0.1"): Promise<TwoAddresses> {
    const [a, b] = [await freePort(), await freePort()];
    const urls = [`http://${host}:${a}`, `http://${host}:${b}`] as const;
    return new TwoAddresses(await temporaryDirectory(), urls, ["--servers", urls.join(), "--auditors", "0"]);
  }

  get all(): string {
    return this.urls.join();
  }

  start(which: 0 | 1): Promise<RunningServerProcess> {
    const { port } = new URL(this.urls[which]);
    return startServerProcess(this.#data, ["--port", port, ...this.#flags]);
  }
}

const timesOf = async (server: RunningServerProcess, id: string): Promise<Times[]> => {
  const results = await readResults(server, id);
  expect(results.map((line) => line.state)).toEqual(results.map(() => "done"));
  return results.map((line) => (line.state === "done" ? (line.output as Times) : { from: NaN, to: NaN }));
};

const finished = (server: RunningServerProcess, id: string): Promise<boolean> =>
  until(async () => (await readJob(server, id)).state === "finished", 45_000);

/** Waits until so many kernels have begun: a task is leased before its sandbox is there. */
const running = (server: RunningServerProcess, count: number): Promise<boolean> =>
  until(async () => {
    const current = (await readClients(server)).flatMap((client) => client.current);
    return current.filter(({ progress }) => (progress ?? 0) > 0).length === count;
  });

/** Whether a sandbox of the client is stopped, as those without a task are. */
const hasIdleSandbox = ({ process: { pid } }: Running): boolean =>
  descendantsOf(pid!).some((each) => stateOf(each) === "T");

function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
  } catch {
    return undefined;
  }
}

describe("a headless client", () => {
  test("[SERVERS-2] [SERVERS-3] [OUTBOX-1] [LEASE-6] whose server is killed takes a task and a result to the other, and finds it again", async () => {
    const servers = await TwoAddresses.make();
    const first = await servers.start(0);
    const cache = await temporaryDirectory();
    // The client is told one address, and learns the other.
    const client = await startClientProcess(first, ["--slots", "2"], cache);
    const id = await submitJob(first, timed, [{ ms: 5_000 }, { ms: 15_000 }], { math: "native" });
    await running(first, 2);
    const [before] = await readClients(first);
    await first.kill();
    const killedAt = Date.now();
    // A task ends while no server is there: its result is in the outbox. The other task runs on.
    await until(() => hasIdleSandbox(client));
    const startedAt = Date.now();
    const second = await servers.start(1);
    await finished(second, id);
    const [short, long] = (await timesOf(second, id)).toSorted((a, b) => a.to - b.to);
    expect(short!.from).toBeLessThan(killedAt);
    expect(short!.to).toBeLessThan(startedAt);
    expect(long!.from).toBeLessThan(killedAt);
    expect(long!.to).toBeGreaterThan(startedAt);
    expect((await readJob(second, id)).counts).toMatchObject({ done: 2, failed: 0 });
    const [after] = await readClients(second);
    expect(after!.id).toBe(before!.id);
    await until(() => client.log().includes(`Connected to ${servers.urls[1]}.`));

    // Started again with the address of the dead server, it is the same client at the living one.
    expect(await client.terminate()).toBe(0);
    const again = await startClientProcess(first, [], cache);
    await until(() => again.log().includes(`Connected to ${servers.urls[1]}.`));
    expect((await readClients(second)).find(({ connected }) => connected)?.id).toBe(before!.id);
    expect(again.log()).not.toContain("Not connected");
  });

  test("[SERVERS-2] goes to another server of several that it was started with, and back when that dies", async () => {
    const [a, b] = [await freePort(), await freePort()];
    const urls = [`http://127.0.0.1:${a}`, `http://127.0.0.1:${b}`];
    const data = [await temporaryDirectory(), await temporaryDirectory()];
    const start = (which: 0 | 1): Promise<RunningServerProcess> =>
      startServerProcess(data[which]!, ["--port", String([a, b][which])]);
    let first = await start(0);
    const flags = ["--slots", "1", "--cache-dir", await temporaryDirectory()];
    // A volunteer: these two servers do not share tokens.
    const client = run(["client", "--server", urls[1]!, "--server", urls[0]!, ...flags]);
    const computes = async (server: RunningServerProcess): Promise<void> => {
      const id = await submitJob(server, "export default (x) => x * x", [3], { verify: "off" });
      await finished(server, id);
    };
    await computes(first);
    const second = await start(1);
    await first.kill();
    await computes(second);
    first = await start(0);
    // A server that is stopped says so, and the client does not wait for it.
    expect(await second.terminate()).toBe(0);
    await computes(first);
    expect(client.process.exitCode).toBeNull();
  });
});

describe("[SERVERS-5] a customer of several servers", () => {
  test("of which the first is not there computes at the second", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    await startClientProcess(server);
    const dead = `http://127.0.0.1:${await freePort()}`;
    const hands = await connect(`${dead},${server.url}`, { token: server.token });
    expect(hands.url).toBe(`${server.url}/`);
    expect(await hands.map((x: number) => x * x, [1, 2, 3])).toEqual([1, 4, 9]);
    hands.close();
  });

  test("[ONCE-4] reads on at the other server behind the last result, and submits the rest there", async () => {
    const servers = await TwoAddresses.make();
    const first = await servers.start(0);
    await startClientProcess(first, ["--slots", "2"]);
    const hands = await connect(servers.all, { token: first.token, log: () => undefined });
    onTestFinished(() => hands.close());
    const goOn = Promise.withResolvers<void>();
    const fractions: number[] = [];
    const job = hands.map(
      (x: number) => x + 1,
      (async function* () {
        for (let input = 0; input < 400; input++) {
          if (input === 200) await goOn.promise;
          yield input;
        }
      })(),
      { onProgress: ({ done }) => fractions.push(done) },
    );
    const seen: { seq: number; output: number | undefined }[] = [];
    let restarted: Promise<RunningServerProcess> | undefined;
    for await (const outcome of job) {
      seen.push({ seq: outcome.seq, output: outcome.output });
      if (seen.length !== 100) continue;
      await first.kill();
      restarted = servers.start(1);
      goOn.resolve();
    }
    const second = await restarted!;
    expect(hands.url).toBe(`${servers.urls[1]}/`);
    expect(seen.map(({ seq }) => seq)).toEqual(Array.from({ length: 400 }, (_, index) => index + 1));
    expect(seen.map(({ output }) => output).toSorted((a, b) => a! - b!)).toEqual(
      Array.from({ length: 400 }, (_, index) => index + 1),
    );
    await until(() => fractions.at(-1) === 400);
    expect(await request<unknown[]>(second, "GET", "/api/jobs")).toHaveLength(1);
  });

  test(
    `[PY-3] a program in Python reads on at the other server${whySkipped}`,
    { skip: python === undefined },
    async () => {
      const servers = await TwoAddresses.make();
      const first = await servers.start(0);
      await startClientProcess(first, ["--slots", "2"]);
      const environment = { ...process.env, MANYHANDS_SERVER: servers.all, MANYHANDS_TOKEN: first.token };
      const file = join(import.meta.dirname, "..", "python", "slow_customer.py");
      const customer = new PythonProgram([file, "20000"], environment);
      await until(() => customer.output.length > 1000);
      await first.kill();
      await servers.start(1);
      const lines = (await customer.ends()).trim().split("\n");
      expect(lines.map((line) => Number(line.split(" ")[0]))).toEqual(
        Array.from({ length: 20_000 }, (_, index) => index + 1),
      );
    },
  );

  test("the command line reads one list as the SDK does", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const list = `http://127.0.0.1:${await freePort()},${server.url}`;
    const env = { MANYHANDS_TOKEN: server.token };
    for (const [args, more] of [
      [["jobs", "--json", "--server", list], {}],
      [["jobs", "--json"], { MANYHANDS_SERVER: list }],
    ] as const) {
      const listing = run(args, { ...env, ...more });
      expect(await listing.ended, listing.log()).toBe(0);
      expect(JSON.parse(listing.output())).toEqual([]);
    }
  });
});

describe("a tab", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  test.each(["localhost", labHost])(
    "[SERVERS-3] [SERVERS-4] on %s whose server is killed takes its task to the other, and moves blobs there",
    async (host) => {
      const servers = await TwoAddresses.make(host);
      const first = await servers.start(0);
      const page = await openPage(browser, `${servers.urls[0]}/?auto=1`);
      const id = await submitJob(first, timed, [{ ms: 8_000 }], { math: "native", verify: "off" });
      await running(first, 1);
      const [before] = await readClients(first);
      await first.kill();
      const killedAt = Date.now();
      await untilText(page, /Not connected/);
      const second = await servers.start(1);
      await finished(second, id);
      const [times] = await timesOf(second, id);
      expect(times!.from).toBeLessThan(killedAt);
      const [after] = await readClients(second);
      expect(after!.id).toBe(before!.id);

      // A kernel, an input and an output that are blobs cross from one origin to the other.
      const bytes = randomBytes(400_000);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const put = await fetch(`${second.url}/api/blobs/${sha256}`, {
        method: "PUT",
        headers: { authorization: `Bearer ${second.token}` },
        body: bytes,
      });
      expect(put.ok).toBe(true);
      const reverse = "export default async (ref, ctx) => (await ctx.data(ref)).slice().reverse();";
      const input = { $ref: { sha256, size: bytes.length } };
      const copy = await submitJob(second, reverse, [input], { verify: "off" });
      await finished(second, copy);
      const [result] = await readResults(second, copy);
      const output = result?.state === "done" ? (result.output as { $bytes: string }).$bytes : "";
      expect(Buffer.from(output, "base64").equals(Buffer.from(bytes).reverse())).toBe(true);

      // Code that sandboxes need for such a kernel came from the page's own server, before that died.
      const portable = await submitJob(second, "export default (x) => Math.sin(x)", [1], { verify: "off" });
      await finished(second, portable);
      expect((await readJob(second, portable)).counts).toMatchObject({ done: 1, failed: 0 });

      // Stopped and started again in the same page, whose own server is dead, the client finds the other.
      for (const label of ["Finish and stop", "Start again"]) await press(page, label);
      await untilText(page, /No work right now/);
    },
  );
});
