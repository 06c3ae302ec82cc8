import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { PrecacheProgress } from "../../shared/wire/rest/precache.ts";
import type { FollowedProvisional } from "../../shared/wire/rest/results.ts";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import {
  expectAllOnce,
  readClients,
  readJob,
  request,
  send,
  slowInputs,
  slowSquareSource,
  squares,
  submitJob,
} from "../support/jobs.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";
import {
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type RunningServerProcess,
} from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";

/** Text of the files in which a client keeps addresses and tickets of servers. */
function learned(cache: string): string {
  const directory = join(cache, "clients", "1");
  return readdirSync(directory)
    .map((name) => textOf(join(directory, name)))
    .join("");
}

/** Text of a file; empty when the client has renamed it meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

const connectedTo = async (server: RunningServerProcess): Promise<number> =>
  (await readClients(server, "own")).filter(({ connected }) => connected).length;

describe.runIf(hasPostgres)(`jobs of two servers on one PostgreSQL${whyNoPostgres}`, () => {
  let postgres: Postgres;
  let store: string;
  let blobs: string;
  let a: RunningServerProcess;
  let b: RunningServerProcess;

  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    store = await postgres.newSchema();
    blobs = join(await temporaryDirectory(), "blobs");
    // The tests have the judges that they start.
    const flags = ["--store", store, "--blobs", blobs, "--auditors", "0"];
    const start = async (): Promise<RunningServerProcess> =>
      startServerProcess(await temporaryDirectory(), flags);
    [a, b] = await Promise.all([start(), start()]);
  });

  /** A volunteer of an invitation of its own, so that it is a cohort of its own, which computes tasks below an index at once. */
  const volunteer = async (
    server: RunningServerProcess,
    name: string,
    below = Infinity,
  ): Promise<RawClient> => {
    const { token } = await request<{ token: string }>(server, "POST", "/api/tokens", {
      role: "volunteer",
      name,
    });
    const client = await new RawClient(server.url).opened();
    client.hello({ token });
    await client.next("welcome");
    client.onMessage = (message) => {
      if (message.type !== "lease") return;
      for (const task of message.tasks)
        if (task.index < below) client.finish(message.job.id, task, encodeValue(task.index * task.index));
    };
    client.send({ type: "want", tasks: 64, slots: 1 });
    return client;
  };

  test("[FEED-1] [SERVERS-6] outputs at one server are inputs at another, once, when the first is killed as well", async () => {
    await startClientProcess(a);
    await startClientProcess(b);
    await until(async () => (await connectedTo(a)) === 1 && (await connectedTo(b)) === 1);
    // The clients compute for longer than servers take to publish what they have claimed.
    const first = await submitJob(a, slowSquareSource, slowInputs(200, 60));
    const { id: second } = await request<JobInfo>(b, "POST", "/api/jobs", {
      kernel: { source: "export default (x) => x + 1;" },
      inputsFrom: first,
      priority: 1,
    });
    await until(async () => (await readJob(b, second)).counts.done >= 10);
    // The two servers have tasks for their clients, running tasks included.
    await until(async () => {
      const { servers = [] } = await request<ServerStatus>(b, "GET", "/api/status");
      return servers.length === 2 && servers.every(({ claimed, tasks }) => claimed > 0 && claimed >= tasks);
    });
    await a.kill();
    await until(async () => (await readJob(b, second)).state === "finished", 60_000);
    await expectAllOnce(b, first, squares(200));
    await expectAllOnce(
      b,
      second,
      squares(200).map((x) => x + 1),
    );
  });

  test("[SERVERS-15] a quorum is found although its clients are at several servers", async () => {
    const id = await submitJob(
      a,
      "export default (x) => x * x",
      squares(8).map((_, x) => x),
      { math: "native", verify: { quorum: 2 } },
    );
    await volunteer(a, "first");
    await volunteer(b, "second");
    await until(async () => (await readJob(b, id)).state === "finished");
    await expectAllOnce(b, id, squares(8));
  });

  test("[SERVERS-6] [SERVERS-14] a reader hears of a job's end that another server made in the first moment", async () => {
    const c = await startServerProcess(await temporaryDirectory(), ["--store", store, "--blobs", blobs]);
    const stranger = await volunteer(a, "first");
    const id = await submitJob(a, "export default (x) => x * x", [0, 1, 2, 3], { verify: "off" });
    const headers = { authorization: `Bearer ${c.token}`, accept: "application/x-ndjson" };
    const response = await fetch(`${c.url}/api/jobs/${id}/results?follow=1`, { headers });
    expect((await response.text()).trim().split("\n").at(-1)).toContain('"job":"finished"');
    stranger.socket.close();
  });

  test("[SERVERS-14] [VERIFY-12] provisional results that one server keeps and judges are followed at another", async () => {
    const id = await submitJob(
      a,
      "export default (x) => x * x",
      squares(20).map((_, x) => x),
      { math: "native" },
    );
    const response = await send(b, "GET", `/api/jobs/${id}/provisional?follow=1`);
    const items: FollowedProvisional[] = [];
    const read = (async () => {
      let text = "";
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        const lines = (text + chunk).split("\n");
        text = lines.pop()!;
        for (const line of lines) if (line !== "") items.push(JSON.parse(line) as FollowedProvisional);
      }
    })();
    read.catch(() => undefined);
    await until(() => items.some(({ state }) => state === "current"));
    // The job cannot end, and results stay provisional, until a trusted client joins.
    const stranger = await volunteer(a, "first", 10);
    const given = (): FollowedProvisional[] => items.filter(({ state }) => state === "provisional");
    await until(() => new Set(given().map((item) => (item as { index: number }).index)).size === 10);
    stranger.socket.close();
    await startClientProcess(a);
    await read;
    expect(items.at(-1)).toEqual({ state: "end", job: "finished" });
    for (const item of given())
      expect(item).toMatchObject({
        client: stranger.id,
        output: (item as { index: number }).index ** 2,
      });
    // A snapshot is followed by the sequence number of the last outcome that it includes.
    const currents = items.flatMap((item) => (item.state === "current" ? [item.seq] : []));
    expect(currents).toEqual(currents.toSorted((x, y) => x - y));
  });

  test("[SERVERS-10] a client goes to a server that came after it, when its own is killed", async () => {
    const cache = await temporaryDirectory();
    await startClientProcess(b, [], cache);
    await until(async () => (await connectedTo(b)) === 1);
    const c = await startServerProcess(await temporaryDirectory(), ["--store", store, "--blobs", blobs]);
    // The client keeps the addresses that it is told.
    await until(() => learned(cache).includes(c.url));
    await a.kill();
    await b.kill();
    await until(async () => (await connectedTo(c)) === 1);
  });

  test("[SERVERS-16] [PRECACHE-1] a precache asks the clients of all servers, and goes on without one that is killed", async () => {
    const caches = await Promise.all([temporaryDirectory(), temporaryDirectory()]);
    await startClientProcess(a);
    await startClientProcess(b, [], caches[0]);
    const bytes = randomBytes(300_000);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const put = { method: "PUT", headers: { authorization: `Bearer ${a.token}` }, body: bytes };
    expect((await fetch(`${a.url}/api/blobs/${sha256}`, put)).status).toBe(201);
    const refs = [{ sha256, size: bytes.length }];
    const response = await send(a, "POST", "/api/precache", { refs, atLeast: 2, stay: true });
    const told: PrecacheProgress[] = [];
    const read = (async () => {
      for await (const line of createInterface(Readable.fromWeb(response.body as never)))
        if (line !== "") told.push(JSON.parse(line) as PrecacheProgress);
    })();
    // The stop of the server ends the reply.
    read.catch(() => undefined);
    await until(() => told.at(-1)?.done === true);
    expect(told.at(-1)).toMatchObject({ clients: 2, have: 2, short: 0, haveBytes: 600_000 });
    await startClientProcess(b, [], caches[1]);
    await until(() => told.at(-1)?.have === 3);
    await until(() => caches.every((cache) => learned(cache).includes(a.url)));
    await b.kill();
    // The clients of the killed server join the other server, with their cached blobs.
    await until(async () => (await connectedTo(a)) === 3);
    // The number of a further client is told after what the killed server had told is forgotten.
    await startClientProcess(a);
    await until(() => told.at(-1)?.clients === 4 && told.at(-1)?.have === 4);
  });

  test("[SERVERS-11] requests are refused after ten seconds without the database, and work goes on with it", async () => {
    await startClientProcess(b);
    const id = await submitJob(a, slowSquareSource, slowInputs(20, 20));
    await until(async () => (await readJob(a, id)).state === "finished");
    await postgres.down();
    const from = performance.now();
    const source = "export default (x) => x";
    const [made, health] = await Promise.all([
      send(a, "POST", "/api/jobs", { kernel: { source }, inputs: [1] }),
      send(b, "GET", "/healthz"),
    ]);
    const tookMs = performance.now() - from;
    expect([made.status, health.status]).toEqual([503, 503]);
    expect(await made.json()).toMatchObject({ retryable: true });
    expect(tookMs).toBeGreaterThan(9_000);
    expect(tookMs).toBeLessThan(20_000);
    await postgres.up();
    await until(async () => (await send(a, "GET", "/healthz")).ok);
    const again = await submitJob(a, source, [1]);
    await until(async () => (await readJob(a, again)).state === "finished");
  });
});
