import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { connect } from "../../customer/index.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import {
  expectAllOnce,
  squares,
  readClients,
  readJob,
  readResults,
  request,
  send,
  submitJob,
} from "../support/jobs.ts";
import type { Capacity } from "../../shared/wire/rest/capacity.ts";
import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { ServerStatus, Snapshot } from "../../shared/wire/rest/status.ts";
import { launchBrowser } from "../support/browser.ts";
import { RawClient } from "../support/raw-client.ts";
import { startBalancer } from "../support/balancer.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";
import { PostgresProxy } from "../support/postgres-proxy.ts";
import { quickest } from "../support/quickest.ts";
import {
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type Running,
  type RunningServerProcess,
} from "../support/processes.ts";

/** Runs for `ms`, and tells that it runs. */
const slow = `export default async ({ ms, x }, ctx) => {
  const from = Date.now();
  while (Date.now() < from + ms) {
    ctx.progress((Date.now() - from) / ms);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { x: x * x, from };
};`;

const readOwn = (server: RunningServerProcess): Promise<ClientInfo[]> => readClients(server, "own");

const schemaOf = (url: string): string => /search_path%3D(\w+)/.exec(url)![1]!;

/** The snapshot of a server for its status page. */
async function snapshotOf(server: RunningServerProcess): Promise<Snapshot> {
  const { body } = await send(server, "GET", "/api/events");
  let text = "";
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const picture = /^data: (.*)\n\n/m.exec(text)?.[1];
    if (picture !== undefined) return JSON.parse(picture) as Snapshot;
  }
  throw new Error("no picture came");
}

describe.runIf(hasPostgres)(`three servers on one PostgreSQL${whyNoPostgres}`, () => {
  let postgres: Postgres;
  let store: string;
  let blobs: string;
  let wire: PostgresProxy;
  let servers: RunningServerProcess[];

  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres.stop());

  const start = async (address = store): Promise<RunningServerProcess> =>
    // The tests have the judges that they start: what is provisional stays so until then.
    startServerProcess(await temporaryDirectory(), ["--store", address, "--blobs", blobs, "--auditors", "0"]);

  beforeEach(async () => {
    store = await postgres.newSchema();
    blobs = join(await temporaryDirectory(), "blobs");
    wire = await PostgresProxy.start(postgres);
    servers = await Promise.all([start(), start(wire.through(store)), start()]);
  });
  afterEach(() => wire.stop());

  const clientOf = (server: RunningServerProcess, ...flags: string[]): Promise<Running> =>
    startClientProcess(server, ["--slots", "2", ...flags]);

  /** Waits until each server has its clients. */
  const joined = (counts: readonly number[]): Promise<boolean> =>
    until(async () => {
      const found = await Promise.all(
        servers.map(async (server) => (await readOwn(server)).filter(({ connected }) => connected).length),
      );
      return found.every((count, k) => count === counts[k]);
    });

  /** Tasks that six slots compute for some seconds. */
  const square = (x: number): { x: number; ms: number } => ({ x, ms: 60 });
  const inputs = Array.from({ length: 400 }, (_, k) => square(k));

  const expectResults = async (server: RunningServerProcess, id: string): Promise<void> => {
    await until(async () => (await readJob(server, id)).state === "finished", 90_000);
    const lines = await readResults(server, id);
    const outputs = lines.flatMap((line) =>
      line.state === "done" ? [[line.index, (line.output as { x: number }).x] as const] : [],
    );
    expect(outputs.toSorted(([a], [b]) => a - b)).toEqual(inputs.map(({ x }) => [x, x * x]));
    expect((await readJob(server, id)).counts).toMatchObject({ done: inputs.length, failed: 0 });
  };

  test("[SERVERS-6] share a job, its news and its end; a token and a cancellation of one count at all", async () => {
    const [a, b, c] = servers as [RunningServerProcess, RunningServerProcess, RunningServerProcess];
    await Promise.all(servers.map((server) => clientOf(server)));
    await joined([1, 1, 1]);
    const hands = await connect(a.url, { token: b.token });
    onTestFinished(() => hands.close());
    const xs = Array.from({ length: 300 }, (_, k) => k);
    expect(await hands.map((x: number) => x * x, xs)).toEqual(xs.map((x) => x * x));

    const id = await submitJob(a, slow, inputs, { math: "native" });
    // Every server's client computes a share.
    await until(async () => {
      const all = await Promise.all(servers.map(readOwn));
      return all.every((clients) => clients.some(({ done }) => done > 10));
    });
    await expectResults(c, id);

    const isBusy = async (): Promise<boolean[]> =>
      (await Promise.all(servers.map(readOwn))).flat().map(({ leases }) => leases > 0);
    const ms = await quickest(async () => {
      const endless = Array.from({ length: 6 }, (_, x) => ({ x, ms: 120_000 }));
      const long = await submitJob(b, slow, endless, { math: "native" });
      await until(async () => (await isBusy()).every(Boolean));
      const from = performance.now();
      await request(c, "POST", `/api/jobs/${long}/cancel`);
      await until(async () => !(await isBusy()).some(Boolean));
      return performance.now() - from;
    }, 1000);
    expect(ms).toBeLessThan(1000);
  });

  test("[SERVERS-12] [SERVERS-13] a client behind a balancer fetches and sends data through any server; each shows all", async () => {
    const balancer = await startBalancer(servers);
    const [a, b] = servers as [RunningServerProcess, RunningServerProcess];
    await clientOf({ ...a, url: balancer.url });
    const hands = await connect(balancer.url, { token: b.token });
    onTestFinished(() => hands.close());
    const bytes = new Uint8Array(3_000_000).fill(7);
    const data = await hands.put(bytes);
    const job = hands.map(
      async ({ data: given, x }: { data: typeof data; x: number }, ctx) => {
        const found = await ctx.data(given);
        return ctx.put(new Uint8Array(found.length).fill(found[0]! + x));
      },
      [1, 2, 3, 4].map((x) => ({ data, x })),
    );
    const sums: number[] = [];
    for (const output of await job) {
      const got = await hands.get(output);
      sums.push(got.length, got[0]!);
    }
    expect(sums).toEqual([8, 9, 10, 11].flatMap((value) => [bytes.length, value]));
    expect(balancer.counts.every((count) => count > 0)).toBe(true);
    for (const server of servers)
      await until(async () => {
        const { servers: all = [], clients } = await request<ServerStatus>(server, "GET", "/api/status");
        return all.filter(({ live }) => live).length === 3 && clients.node === 1;
      });
    await a.kill();
    await until(async () => {
      const { servers: all = [] } = await request<ServerStatus>(b, "GET", "/api/status");
      return all.filter(({ live }) => !live).length === 1;
    });
  });

  test("[SERVERS-13] [SERVERS-14] clients, capacity, throughput and logs of all are seen at each; a server that does not answer is named", async () => {
    const [a, b, c] = servers as [RunningServerProcess, RunningServerProcess, RunningServerProcess];
    await Promise.all(servers.map((server) => clientOf(server)));
    await joined([1, 1, 1]);
    const kernel =
      "export default async ({ x }) => { console.log(`sees ${x}`); await new Promise((r) => setTimeout(r, 20)); return x; }";
    const id = await submitJob(a, kernel, inputs, { math: "native", verify: "off" });
    await until(async () => (await readJob(c, id)).state === "finished");
    for (const server of servers) {
      await until(async () => {
        const clients = await readClients(server);
        const done = clients.reduce((sum, client) => sum + client.done, 0);
        return clients.filter(({ connected }) => connected).length === 3 && done === inputs.length;
      });
      await until(async () => {
        const { clients, slots, tasksPerSecond } = await request<Capacity>(server, "GET", "/api/capacity");
        return clients === 3 && slots === 6 && tasksPerSecond !== null && tasksPerSecond > 20;
      });
      await until(async () => {
        const { throughput, clients } = await snapshotOf(server);
        return throughput.reduce((sum, count) => sum + count, 0) === inputs.length && clients.length === 3;
      });
      const lines = await until(async () => {
        const path = `/api/jobs/${id}/logs`;
        const all = await request<{ at: number; client: string; line: string }[]>(server, "GET", path);
        return new Set(all.map(({ line }) => line)).size === inputs.length ? all : undefined;
      });
      expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).toSorted((x, y) => x - y));
    }
    b.process.kill("SIGSTOP");
    onTestFinished(() => void b.process.kill("SIGCONT"));
    const from = performance.now();
    const reply = await send(c, "GET", "/api/clients");
    // A server is waited for 2 s, and this one would never answer.
    expect(performance.now() - from).toBeLessThan(10_000);
    expect((await reply.json()) as ClientInfo[]).toHaveLength(2);
    const names = (await request<ServerStatus>(c, "GET", "/api/status")).servers!.map(({ name }) => name);
    expect(names).toContain(decodeURI(reply.headers.get("manyhands-unanswered") ?? ""));
  });

  test("[SERVERS-6] [SERVERS-8] provisional results of a killed server are judged by another; identities, sign-ins, bans and tokens count at all", async () => {
    const [a, b, c] = servers as [RunningServerProcess, RunningServerProcess, RunningServerProcess];
    const id = await submitJob(
      a,
      "export default (x) => x * x",
      squares(20).map((_, x) => x),
      { math: "native" },
    );
    const volunteer = await new RawClient(a.url).join();
    volunteer.onMessage = (message) => {
      if (message.type !== "lease") return;
      // The job cannot end, and results stay provisional, until a trusted client joins.
      for (const task of message.tasks)
        if (task.index < 10) volunteer.finish(message.job.id, task, encodeValue(task.index * task.index));
    };
    volunteer.send({ type: "want", tasks: 64, slots: 1 });
    await until(async () => (await readJob(c, id)).counts.provisional > 0);
    await a.kill();
    await Promise.all([clientOf(b), clientOf(c)]);
    await until(async () => (await readJob(c, id)).state === "finished");
    await expectAllOnce(c, id, squares(20));
    const { statement } = await readJob(b, id);
    expect(statement.strangers).toBeGreaterThan(0);
    expect(statement.audited).toBeGreaterThan(0);

    const identity = volunteer.identity!;
    const again = await new RawClient(b.url, { as: identity }).join();
    expect(again.identity).toEqual(identity);
    // The two addresses are of this machine, so that the ban is of the client alone.
    await request(c, "POST", `/api/clients/${identity.client}/ban`, { reason: "tested" });
    expect((await again.closed).code).toBe(4403);
    const other = await new RawClient(c.url, { as: identity }).opened();
    other.hello();
    expect((await other.closed).code).toBe(4403);

    const signIn = await fetch(`${b.url}/api/sign-in`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: c.token }),
    });
    const cookie = signIn.headers.getSetCookie()[0]!.split(";")[0]!;
    const roleAt = async (server: RunningServerProcess): Promise<unknown> => {
      const reply = await fetch(`${server.url}/api/sign-in`, { headers: { cookie } });
      return ((await reply.json()) as { role: unknown }).role;
    };
    expect([await roleAt(b), await roleAt(c)]).toEqual(["admin", "admin"]);

    const made = await request<{ token: string; id: string }>(b, "POST", "/api/tokens", {
      role: "customer",
      name: "ada",
    });
    const statusAt = async (server: RunningServerProcess): Promise<number> =>
      (await fetch(`${server.url}/api/jobs`, { headers: { authorization: `Bearer ${made.token}` } })).status;
    expect(await statusAt(c)).toBe(200);
    await request(b, "DELETE", `/api/tokens/${made.id}`);
    await until(async () => (await statusAt(c)) === 401);
  });

  test("[SERVERS-6] [CLIENTS-2] [CLIENTS-3] a client is drained and asked to reload wherever it is, also by a server that it left", async () => {
    const [a, b, c] = servers as [RunningServerProcess, RunningServerProcess, RunningServerProcess];
    const before = await new RawClient(a.url).join();
    const identity = before.identity!;
    before.socket.close();
    await before.closed;
    const client = await new RawClient(b.url, { as: identity }).join();
    for (const [asked, times] of [
      [a, 1],
      [c, 2],
    ] as const) {
      await request(asked, "POST", "/api/clients", { verb: "reload", clients: [identity.client] });
      await until(
        () =>
          client.received.filter((message) => message.type === "heartbeat" && message.reload === true)
            .length === times,
      );
    }
    const drainedAt = async (): Promise<boolean | undefined> =>
      (await request<ClientInfo[]>(b, "GET", "/api/clients?servers=own")).find(
        ({ id }) => id === identity.client,
      )?.drained;
    await request(a, "POST", "/api/clients", { verb: "drain", clients: [identity.client] });
    await until(async () => (await drainedAt()) === true);
    await request(c, "POST", "/api/clients", { verb: "resume", clients: [identity.client] });
    await until(async () => (await drainedAt()) === false);
  });

  test("[VERIFY-13] a client hears at another server what became of its results", async () => {
    const [a, b] = servers as [RunningServerProcess, RunningServerProcess];
    const source = "export default (x) => x * x";
    const id = await submitJob(a, source, [0, 1, 2, 3, 4, 5, 6, 7], { math: "native" });
    const before = await new RawClient(a.url).join();
    before.onMessage = (message) => {
      if (message.type !== "lease") return;
      // The job cannot end, and results stay provisional, until a trusted client joins.
      for (const task of message.tasks)
        if (task.index < 4) before.finish(message.job.id, task, encodeValue(task.index * task.index));
    };
    before.send({ type: "want", tasks: 4, slots: 1 });
    await until(async () => (await readJob(a, id)).counts.provisional === 4);
    before.socket.close();
    await before.closed;
    const client = await new RawClient(b.url, { as: before.identity }).join();
    await clientOf(a);
    const verdicts = () =>
      client.received.flatMap((message) => (message.type === "verdict" ? [message] : []));
    await until(() => verdicts().flatMap(({ indexes }) => indexes).length === 4);
    expect(verdicts().every((verdict) => verdict.job === id && verdict.state !== "withdrawn")).toBe(true);
    await until(async () => (await readJob(b, id)).state === "finished");
  });

  test("[SERVERS-7] [SERVERS-8] a server that is killed, and one that is stopped for longer than its time to live, lose nothing", async () => {
    const [a, b, c] = servers as [RunningServerProcess, RunningServerProcess, RunningServerProcess];
    await Promise.all(servers.map((server) => clientOf(server)));
    await joined([1, 1, 1]);
    const id = await submitJob(a, slow, inputs, { math: "native" });
    const done = async (server: RunningServerProcess): Promise<number> =>
      (await readJob(server, id)).counts.done;
    await until(async () => (await done(c)) > 30);
    await a.kill();
    const left = await done(c);
    await until(async () => (await done(c)) > left + 20);
    b.process.kill("SIGSTOP");
    onTestFinished(() => void b.process.kill("SIGCONT"));
    await until(async () => {
      const { servers: known = [] } = await request<ServerStatus>(c, "GET", "/api/status");
      return known.filter(({ live }) => live).length === 1;
    });
    b.process.kill("SIGCONT");
    await expectResults(c, id);
    await until(async () => (await readJob(b, id)).state === "finished");
  });

  test("[SERVERS-7] [SERVERS-10] an open tab takes its task to another server when its own is killed", async () => {
    const [a, b, c] = servers as [RunningServerProcess, RunningServerProcess, RunningServerProcess];
    const browser = await launchBrowser();
    onTestFinished(() => browser.close());
    const page = await browser.newPage();
    // The page may connect to the servers that are known when it is opened.
    await until(async () => {
      const { servers: all = [] } = await request<ServerStatus>(a, "GET", "/api/status");
      return all.filter(({ url }) => url !== null).length === 3;
    });
    await page.goto(`${a.url}/?auto=1`);
    const id = await submitJob(c, slow, [{ x: 3, ms: 8000 }], { math: "native", verify: "off" });
    await until(
      async () => (await readJob(c, id)).counts.running === 1 && (await readJob(c, id)).fraction > 0.1,
    );
    const killedAt = Date.now();
    await a.kill();
    await until(async () => (await readJob(c, id)).state === "finished");
    const [line] = await readResults(c, id);
    expect(line).toMatchObject({ state: "done", output: { x: 9 } });
    // The task began before its server was killed, and was not computed again.
    expect((line as { output: { from: number } }).output.from).toBeLessThan(killedAt);
    const clients = (await Promise.all([b, c].map(readOwn))).flat();
    expect(clients.filter(({ connected }) => connected)).toMatchObject([{ kind: "browser", done: 1 }]);
  });

  test("[SERVERS-8] [SERVERS-11] a PostgreSQL that restarts and crashes, and a server that is cut off from it, lose nothing", async () => {
    const [a, b, c] = servers as [RunningServerProcess, RunningServerProcess, RunningServerProcess];
    await Promise.all(servers.map((server) => clientOf(server)));
    await joined([1, 1, 1]);
    const id = await submitJob(a, slow, inputs, { math: "native" });
    const done = async (server: RunningServerProcess): Promise<number> =>
      (await readJob(server, id)).counts.done;
    const goesOn = async (server: RunningServerProcess): Promise<void> => {
      const before = await done(server);
      await until(async () => (await done(server)) > before + 10);
    };
    await goesOn(a);
    await postgres.down("SIGINT");
    await postgres.up();
    await goesOn(c);
    await postgres.down("SIGQUIT");
    await postgres.up();
    await goesOn(a);
    wire.cut();
    await goesOn(c);
    // Longer than the time to live: the others take the server for dead.
    await until(
      async () => (await postgres.query("SELECT 1 FROM servers WHERE buried", schemaOf(store))).length > 0,
    );
    wire.mend();
    await until(() => b.log().includes("took it for dead"));
    await expectResults(c, id);
    await expectResults(b, id);
  });
});
