import { expect, onTestFinished, test } from "vitest";
import { connect, type Job, type ProvisionalNews } from "../../customer/index.ts";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import { startHttpServer } from "../support/http-server.ts";

test("[VERIFY-2] [WAIT-2] provisional results come once each, whole, through connections that are cut", async () => {
  const server = await startHttpServer({ auditors: 1 });
  const proxy = await FlakyProxy.start(server.url);
  onTestFinished(() => proxy.close());
  const volunteer = server.client((x) => String(x).repeat(20_000), { trusted: false });
  await using hands = await connect(proxy.url, { token: server.tokens.customer });
  const inputs = Array.from({ length: 60 }, (_, index) => index % 10);
  const job = hands.map((x: number) => String(x).repeat(20_000), inputs);
  await expect.poll(async () => (await job.status()).counts.provisional).toBe(60);
  proxy.cutAll();
  proxy.cutAfter = () => 500_000;
  let count = 0;
  for await (const { index, output, client } of job.provisional()) {
    expect([index, client, output.length, output[0]]).toEqual([
      count,
      volunteer.id,
      20_000,
      String(count % 10),
    ]);
    count++;
  }
  expect(count).toBe(60);
  expect(proxy.cuts).toBeGreaterThan(0);
});

/** The notices of each result, by its task and client; fails when a result comes twice. */
function fatesOf(news: readonly ProvisionalNews<unknown>[]): Map<string, string[]> {
  const fates = new Map<string, string[]>();
  for (const { state, index, client } of news) {
    const key = `${index} ${client}`;
    if (state !== "provisional") fates.get(key)!.push(state);
    else {
      expect(fates.get(key), `result ${key} came twice`).toBeUndefined();
      fates.set(key, []);
    }
  }
  return fates;
}

async function readInto<T>(news: ProvisionalNews<T>[], job: Job<T>): Promise<void> {
  for await (const one of job.provisional({ follow: true })) news.push(one);
}

const output = (x: number): string => String(x % 10).repeat(20_000);

test("[VERIFY-12] each followed result comes once, and one notice of it, through connections that are cut", async () => {
  const server = await startHttpServer({ auditors: 1 });
  const proxy = await FlakyProxy.start(server.url);
  onTestFinished(() => proxy.close());
  await using hands = await connect(proxy.url, { token: server.tokens.customer });
  const volunteers = [0, 1].map(() => server.client((x) => output(x as number), { trusted: false }));
  const job = hands.map(
    output,
    Array.from({ length: 60 }, (_, index) => index),
  );
  await job.submitted;
  proxy.cutAll();
  proxy.cutAfter = (connection) => 600_000 + connection * 150_000;
  const news: ProvisionalNews<string>[] = [];
  const reading = readInto(news, job);
  await expect.poll(() => news.length).toBe(60);
  for (const volunteer of volunteers) volunteer.leave();
  server.client((x) => output(x as number));
  await reading;
  const fates = fatesOf(news);
  expect(fates.size).toBe(60);
  expect([...fates.values()].flat()).toEqual(Array(60).fill("accepted"));
  for (const one of news) if (one.state === "provisional") expect(one.output).toBe(output(one.index));
  expect(proxy.cuts).toBeGreaterThan(0);
});

test("[VERIFY-12] after a gap, results that were withdrawn and computed anew are told from those that were accepted", async () => {
  const server = await startHttpServer({ auditors: 1 });
  const proxy = await FlakyProxy.start(server.url);
  onTestFinished(() => proxy.close());
  await using hands = await connect(proxy.url, { token: server.tokens.customer });
  const stranger = { trusted: false, answering: false, want: 3 };
  const [honest, liar] = [server.client(undefined, stranger), server.client(undefined, stranger)];
  const job = hands.map(output, [0, 1, 2, 3, 4, 5]);
  const id = await job.id;
  const news: ProvisionalNews<string>[] = [];
  const reading = readInto(news, job);
  await expect.poll(() => [honest.held.length, liar.held.length]).toEqual([3, 3]);
  honest.deliver(output);
  liar.deliver(() => "wrong");
  await expect.poll(() => news.length).toBe(6);

  // The proxy cuts every connection until the job has ended.
  proxy.cutAfter = () => 0;
  proxy.cutAll();
  for (const client of [honest, liar]) client.leave();
  server.client((x) => output(x as number));
  await expect.poll(async () => (await server.platform.job(id)).state).toBe("finished");
  expect(news).toHaveLength(6);
  proxy.cutAfter = () => undefined;
  await reading;
  for (const [key, fate] of fatesOf(news))
    expect(fate).toEqual([key.endsWith(liar.id) ? "withdrawn" : "accepted"]);
  expect(news).toHaveLength(12);
  expect(await job).toEqual([0, 1, 2, 3, 4, 5].map(output));
});

test("[VERIFY-12] of a quorum the result that counts is accepted, and the others are withdrawn", async () => {
  const server = await startHttpServer({ auditors: 1 });
  await using hands = await connect(server.url, { token: server.tokens.customer });
  const job = hands.map((x: number) => x, [7], { verify: { quorum: 2 } });
  const news: ProvisionalNews<number>[] = [];
  const reading = readInto(news, job);
  for (const [at, answer] of [7, 8, 7].entries()) {
    server.client(() => answer, { trusted: false });
    await expect.poll(() => news.filter(({ state }) => state === "provisional").length).toBe(at + 1);
  }
  await reading;
  expect(await job).toEqual([7]);
  const fates = [...fatesOf(news).values()].map((fate) => fate.join());
  expect(fates.toSorted()).toEqual(["accepted", "withdrawn", "withdrawn"]);
});
