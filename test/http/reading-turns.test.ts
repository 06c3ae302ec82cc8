import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { ReadingTurns } from "../../server/http/reading-turns.ts";
import { done, tasks } from "../contract/store-fixtures.ts";
import { startHttpServer } from "../support/http-server.ts";
import { createJob } from "../support/rest.ts";

test("[FLOW-6] in a round of the event loop one reader has its turn, in the order in which readers asked", async () => {
  const turns = new ReadingTurns();
  const order: string[] = [];
  const read = async (name: string) => {
    for (let turn = 0; turn < 3; turn++) {
      await turns.next();
      order.push(name);
    }
  };
  const reading = { now: true };
  const rounds = (async () => {
    while (reading.now) {
      order.push("|");
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await Promise.all(["a", "b"].map(read));
  reading.now = false;
  await rounds;
  expect(
    order
      .join("")
      .replaceAll(/\|+/g, "|")
      .replaceAll(/^\||\|$/g, ""),
  ).toBe("a|b|a|b|a|b");
});

test("[FLOW-6] pages are smaller the more readers there are, and together bounded", () => {
  const turns = new ReadingTurns();
  const leave = turns.join();
  expect(turns.share).toEqual({ bytes: 1024 ** 2, items: 5000 });
  const others = Array.from({ length: 199 }, () => turns.join());
  expect(turns.share).toEqual({ bytes: 83_886, items: 200 });
  for (const other of others) other();
  expect(turns.share.bytes).toBe(1024 ** 2);
  leave();
});

/** Reads the results of a job many times at once, in a thread of its own. */
const readers = `
  const { parentPort, workerData: { url, headers, count } } = require("node:worker_threads");
  let bytes = 0;
  const read = async () => {
    for await (const chunk of (await fetch(url, { headers })).body) {
      if (bytes === 0) parentPort.postMessage("first");
      bytes += chunk.length;
    }
  };
  Promise.all(Array.from({ length: count }, read)).then(() => parentPort.postMessage(bytes));
`;

test("[FLOW-6] many readers of many results on the server's own machine do not keep others waiting until they have finished", async () => {
  const server = await startHttpServer();
  const { id } = await createJob(server, { inputs: [1], open: true });
  const count = 20_000;
  await server.store.submit(id, tasks(1, count));
  await server.store.claim(id, count);
  const outcomes = tasks(0, count).map(({ index }) => ({
    ...done(index),
    output: Uint8Array.of(0xc4, 1, 7),
  }));
  for (let at = 0; at < count; at += 1000) await server.store.complete(id, outcomes.slice(at, at + 1000));
  const worker = new Worker(readers, {
    eval: true,
    workerData: {
      url: `${server.url}/api/jobs/${id}/results`,
      headers: { authorization: `Bearer ${server.tokens.admin}`, accept: "application/x-ndjson" },
      count: 60,
    },
  });
  const heard: (string | number)[] = [];
  worker.on("message", (message: string | number) => heard.push(message));
  await expect.poll(() => heard).toEqual(["first"]);
  for (let times = 0; times < 3; times++)
    expect((await server.request("/healthz", { token: null })).status).toBe(200);
  expect(heard).toEqual(["first"]);
  await expect.poll(() => heard.length, { timeout: 100_000 }).toBe(2);
  await worker.terminate();
});
