import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  connect,
  kernelModule,
  statementText,
  type Hands,
  type JobInfo,
  type Progress,
  type ProvisionalNews,
} from "../../customer/index.ts";
import type * as factorsModule from "../../examples/kernels/factors.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import {
  keptPort,
  root,
  run,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type Running,
  type RunningServerProcess,
} from "../support/processes.ts";
import { expectAllOnce, readJob, squares, submitJob } from "../support/jobs.ts";
import { RawClient } from "../support/raw-client.ts";

const factors = kernelModule<typeof factorsModule>(
  new URL("../../examples/kernels/factors.ts", import.meta.url),
);
const products = Array.from({ length: 20 }, (_, index) => 3 * (2 * index + 101));
const expected = products.map((product) => [3, product / 3]);

/** A server with an auditor of its own, and a customer of it. */
async function start(): Promise<{ server: RunningServerProcess; hands: Hands }> {
  const server = await startServerProcess(await temporaryDirectory());
  return { server, hands: await connect(server.url, { token: server.token }) };
}

/** A real client process that came without a token: a volunteer. */
async function startVolunteer({ url }: { url: string }): Promise<Running> {
  const state = await temporaryDirectory();
  const flags = ["--server", url, "--slots", "1", "--cache-dir", await temporaryDirectory()];
  return run(["client", ...flags], { XDG_STATE_HOME: state, MANYHANDS_TOKEN: "" });
}

/** A volunteer whose results are all wrong. */
async function startLiar(url: string): Promise<RawClient> {
  const liar = await new RawClient(url).join();
  liar.onMessage = (message) => {
    if (message.type !== "lease") return;
    for (const task of message.tasks) liar.finish(message.job.id, task, encodeValue([1, 1]));
    liar.send({ type: "want", tasks: 16, slots: 1 });
  };
  liar.send({ type: "want", tasks: 16, slots: 1 });
  return liar;
}

test("[VERIFY-8] check: wrong results of a volunteer never get through, and the statement says so", async () => {
  const { server, hands } = await start();
  await using _ = hands;
  const liar = await startLiar(server.url);
  const job = hands.map(factors, products, { check: true });
  expect((await liar.closed).code).toBeGreaterThan(4000);
  await startClientProcess(server);
  expect(await job).toEqual(expected);
  const statement = await job.statement();
  expect(statement).toMatchObject({ strangers: 0, wrong: 1, irreproducible: false });
  expect(statement.withdrawn).toBeGreaterThan(0);
  expect((await hands.api.bans()).map(({ subject }) => subject)).toContain(liar.id);
});

test("[VERIFY-3] [VERIFY-11] results of an honest volunteer are audited, checked and accepted: SDK and command line", async () => {
  const { server, hands } = await start();
  await using _ = hands;
  const volunteer = await startVolunteer(server);
  let last: Progress | undefined;
  const job = hands.map(factors, products, {
    check: true,
    onProgress: (progress) => (last = progress),
  });
  expect(await job).toEqual(expected);
  const info = await job.status();
  expect(info.statement).toMatchObject({ strangers: 20, checked: 20, wrong: 0, withdrawn: 0 });
  expect(info.statement.audited).toBeGreaterThanOrEqual(2);
  expect(statementText(info)).toMatch(/^20 results of volunteers: \d+ audited, 20 checked, 0 wrong/);
  expect(last).toMatchObject({ state: "finished", provisional: 0, statement: info.statement });
  await volunteer.kill();

  const where = ["--server", server.url, "--token", server.token];
  const shown = run(["job", info.id, ...where]);
  expect(await shown.ended).toBe(0);
  expect(shown.output()).toMatch(/^verified {2}20 results of volunteers/m);
});

test("[VERIFY-7] a volunteer whose bits differ is right where the kernel module's compare says so", async () => {
  const { server, hands } = await start();
  await using _ = hands;
  const kernel = join(await temporaryDirectory(), "angle.ts");
  await writeFile(
    kernel,
    "export default (x: number) => x;\nexport const compare = (a: number, b: number) => (a - b) % 360 === 0;\n",
  );
  const volunteer = await new RawClient(server.url).join();
  const turned = Array.from({ length: 8 }, (_, index) => index + 360);
  volunteer.onMessage = (message) => {
    if (message.type !== "lease") return;
    for (const task of message.tasks) volunteer.finish(message.job.id, task, encodeValue(turned[task.index]));
  };
  volunteer.send({ type: "want", tasks: 16, slots: 1 });
  const job = hands.map(
    kernel,
    turned.map((angle) => angle - 360),
    { compare: "kernel" },
  );
  expect(await job).toEqual(turned);
  const { statement } = await job.status();
  expect(statement).toMatchObject({ strangers: 8, wrong: 0, withdrawn: 0, irreproducible: false });
  expect(statement.audited).toBeGreaterThanOrEqual(2);
});

test("[VERIFY-2] provisional results are read before they are accepted; verify: off accepts them", async () => {
  const { server, hands } = await start();
  await using _ = hands;
  // No client here can audit a job of browsers: the results stay provisional.
  const browser = await new RawClient(server.url).join({ kind: "browser" });
  const job = hands.map((x: number) => x * 2, [1, 2, 3], { requires: { kind: "browser" }, name: "doubles" });
  await job.submitted;
  const { job: id, tasks } = await browser.lease(2);
  for (const task of tasks) browser.finish(id, task, encodeValue({ index: task.index }));
  await expect.poll(async () => (await job.status()).counts.provisional).toBe(tasks.length);
  const read = await listOf(job.provisional());
  expect(read).toEqual(
    tasks.map(({ index }) => ({ index, output: { index }, client: browser.id })).toSorted(byIndex),
  );
  expect(await listOf(job.provisional({ after: tasks.length - 1 }))).toEqual([]);

  const where = ["--server", server.url, "--token", server.token];
  const listed = run(["provisional", id, ...where]);
  expect(await listed.ended).toBe(0);
  expect(
    listed
      .output()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(read);
  const table = run(["jobs", ...where]);
  expect(await table.ended).toBe(0);
  expect(table.output()).toMatch(new RegExp(`PROVISIONAL[^]*doubles.* 0/3 +0 +\\d+ +${tasks.length} `));

  const changed = run([
    "verify",
    id,
    "--verify",
    "off",
    "--compare",
    "abs=1e-9,rel=1e-6",
    "--json",
    ...where,
  ]);
  expect(await changed.ended).toBe(0);
  expect(JSON.parse(changed.output()) as JobInfo).toMatchObject({
    verify: "off",
    compare: { abs: 1e-9, rel: 1e-6 },
  });
  await expect
    .poll(async () => (await job.status()).counts)
    .toMatchObject({ provisional: 0, done: tasks.length });
  expect(statementText(await job.status())).toBe(`${tasks.length} results of volunteers, not verified`);
});

test("[VERIFY-12] followed across kill -9 of the server: each result and its notice once, in the SDK and on the command line", async () => {
  const [data, port] = [await temporaryDirectory(), await keptPort()];
  let server = await startServerProcess(data, port);
  await using hands = await connect(server.url, { token: server.token });
  // No client here can audit a job of browsers: results stay provisional while their client is there and tasks are left.
  let browser = await new RawClient(server.url).join({ kind: "browser" });
  const job = hands.map((x: number) => x * 2, [1, 2, 3, 4, 5], { requires: { kind: "browser" } });
  await job.submitted;
  const news: ProvisionalNews<number>[] = [];
  const reading = (async () => {
    for await (const one of job.provisional({ follow: true })) news.push(one);
  })();
  const where = ["--server", server.url, "--token", server.token];
  const command = run(["provisional", await job.id, "--follow", ...where]);
  const toldByCommand = (): unknown[] =>
    command
      .output()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as unknown);

  const deliver = async (): Promise<void> => {
    const { job: id, tasks } = await browser.lease(2);
    for (const task of tasks) browser.finish(id, task, encodeValue((task.index + 1) * 2));
  };
  await deliver();
  await expect.poll(() => [news.length, toldByCommand().length]).toEqual([2, 2]);
  await server.kill();
  server = await startServerProcess(data, port);
  browser = await new RawClient(server.url).join({ kind: "browser" });
  await deliver();
  const given = (told: readonly unknown[]): number =>
    told.filter((one) => (one as { state: string }).state === "provisional").length;
  await expect.poll(() => [given(news), given(toldByCommand())]).toEqual([4, 4]);
  await job.setVerify({ verify: "off" });
  await deliver();
  await reading;
  expect(await command.ended).toBe(0);
  expect(toldByCommand()).toEqual(expect.arrayContaining(news));
  expect(toldByCommand()).toHaveLength(8);
  const told = (wanted: string): number[] =>
    news
      .filter(({ state }) => state === wanted)
      .map(({ index }) => index)
      .toSorted((a, b) => a - b);
  expect([told("provisional"), told("accepted"), told("withdrawn")]).toEqual([
    [0, 1, 2, 3],
    [0, 1, 2, 3],
    [],
  ]);
});

test("[VERIFY-12] followed: a liar's results are withdrawn, and a volunteer's accepted", async () => {
  const { server, hands } = await start();
  await using _ = hands;
  const job = hands.map(factors, products, { check: true });
  await job.submitted;
  const news: ProvisionalNews<unknown>[] = [];
  const reading = (async () => {
    for await (const one of job.provisional({ follow: true })) news.push(one);
  })();
  const liar = await startLiar(server.url);
  await liar.closed;
  const volunteer = await startVolunteer(server);
  expect(await job).toEqual(expected);
  await reading;
  await volunteer.kill();
  const of = (wanted: string, isLiars: boolean): number[] =>
    news
      .filter(({ state, client }) => state === wanted && (client === liar.id) === isLiars)
      .map(({ index }) => index)
      .toSorted((a, b) => a - b);
  expect(of("provisional", true).length).toBeGreaterThan(0);
  expect(of("withdrawn", true)).toEqual(of("provisional", true));
  expect(of("accepted", true)).toEqual([]);
  expect(of("provisional", false)).toEqual(products.map((_product, index) => index));
  expect(of("accepted", false)).toEqual(of("provisional", false));
});

test("[VERIFY-1] from the shell: map --verify, --compare and --check, and what is refused", async () => {
  const { server } = await start();
  await startClientProcess(server);
  const directory = await temporaryDirectory();
  const env = { MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token };
  const kernel = join(root, "examples", "kernels", "factors.ts");
  const plain = join(directory, "plain.ts");
  await writeFile(plain, "export default (x: number) => x;\n");
  const map = async (file: string, ...flags: string[]): Promise<{ code: number | null; log: string }> => {
    const command = run(["map", file, "--range", "15:16", "--out", join(directory, "out"), ...flags], env);
    return { code: await command.ended, log: command.log() };
  };
  expect(await map(kernel, "--check", "--verify", "audit")).toMatchObject({ code: 0 });
  expect(await readFile(join(directory, "out"), "utf8")).toContain("[3,5]");
  expect(await map(kernel, "--verify", "quorum:3", "--compare", "rel=1e-6")).toMatchObject({ code: 0 });
  await using hands = await connect(server.url, { token: server.token });
  expect(await hands.jobs()).toMatchObject([
    { verify: { quorum: 3 }, compare: { rel: 1e-6 }, check: false },
    { verify: "audit", compare: "bits", check: true },
  ]);
  const refused = async (file: string, ...flags: string[]): Promise<string> => {
    const { code, log } = await map(file, ...flags);
    expect(code).toBe(2);
    return log;
  };
  expect(await refused(kernel, "--verify", "quorum:1")).toContain("quorum:2 to quorum:7");
  expect(await refused(kernel, "--compare", "abs=-1")).toContain("abs=1e-9,rel=1e-6");
  expect(await refused(plain, "--check")).toContain("export function check(input, output)");
  expect(await refused(plain, "--compare", "kernel")).toContain("export function compare(a, b)");
  await expect(hands.map((x: number) => x, [1], { check: true })).rejects.toThrow(/expected a module/);
});

async function listOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function byIndex(a: { index: number }, b: { index: number }): number {
  return a.index - b.index;
}

test("[VERIFY-2] kill -9 of the server while volunteers and a liar work: every accepted result is right, none is lost", async () => {
  const data = await temporaryDirectory();
  const flags = ["--grace-seconds", "2", ...(await keptPort())];
  let server = await startServerProcess(data, flags);
  await startVolunteer(server);
  await startVolunteer(server);
  const inputs = Array.from({ length: 400 }, (_, x) => x);
  const id = await submitJob(server, "export default (x) => x * x;", inputs);
  // The liar leaves with the first server, and its provisional results stay.
  await startLiar(server.url);
  for (const share of [0.02, 0.3, 0.6]) {
    await until(async () => {
      const { done, provisional } = (await readJob(server, id)).counts;
      return done + provisional >= share * inputs.length;
    });
    await server.kill();
    server = await startServerProcess(data, flags);
  }
  await until(async () => (await readJob(server, id)).state === "finished");
  await expectAllOnce(server, id, squares(inputs.length));
  expect((await readJob(server, id)).statement).toMatchObject({ irreproducible: false, unverified: 0 });
});
