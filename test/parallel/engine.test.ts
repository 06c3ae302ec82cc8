import { MessageChannel } from "node:worker_threads";
import { expect, it } from "vitest";
import { Hands } from "../../customer/hands.ts";
import { HttpClient } from "../../customer/http.ts";
import { openEngine } from "../../parallel/thread/engine.ts";
import { PortStream } from "../../parallel/thread/port-stream.ts";
import { createFetch } from "../../parallel/thread/thread-fetch.ts";

it("[THREAD-3] a sandbox that does not start is told to the person who waits", async () => {
  const { promise: warned, resolve: warn } = Promise.withResolvers<string>();
  const engine = await openEngine(
    { threads: 1, scratch: undefined, program: "test", cacheDirectory: "" },
    { create: () => Promise.reject(new Error("no memory for a process")), end: () => undefined },
    warn,
  );
  const requests = createFetch(() => {
    const { port1, port2 } = new MessageChannel();
    engine.accept(port2);
    return new PortStream(port1);
  });
  const http = new HttpClient({
    url: "http://thread.localhost/",
    findToken: async () => engine.token,
    patienceMs: 0,
    log: () => undefined,
    fetch: requests.fetch,
  });
  const job = new Hands(http).map((x: number) => x, [1]);
  job.submitted.catch(() => undefined);
  expect(await warned).toMatch(/No sandbox could be made.*no memory for a process/);
  http.close();
  requests.close();
  await engine.close();
});
