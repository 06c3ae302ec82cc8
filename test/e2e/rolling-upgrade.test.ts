import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../bench/harness/services/ports.ts";
import { connect } from "../../customer/index.ts";
import { Connection } from "../../server/store/postgres/connection.ts";
import { migrate, schemaVersion } from "../../server/store/postgres/schema.ts";
import type { CreatedToken } from "../../shared/wire/rest/tokens.ts";
import { readClients, readJob, readResults, request, submitJob } from "../support/jobs.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";
import {
  run,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type RunningServerProcess,
} from "../support/processes.ts";

describe.runIf(hasPostgres)(`several servers on one PostgreSQL${whyNoPostgres}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres.stop());

  test("[UPGRADE-4] are replaced one by one while a job runs: nothing is lost or computed into two results", async () => {
    const store = await postgres.newSchema();
    const blobs = join(await temporaryDirectory(), "blobs");
    const places = await Promise.all(
      [0, 1, 2].map(async () => ({ port: await freePort(), data: await temporaryDirectory() })),
    );
    const start = ({ port, data }: (typeof places)[number]): Promise<RunningServerProcess> =>
      startServerProcess(data, ["--port", String(port), "--store", store, "--blobs", blobs]);
    const servers = await Promise.all(places.map(start));
    await Promise.all(servers.map((server) => startClientProcess(server, ["--slots", "2"])));
    const connected = async (): Promise<number> =>
      (await Promise.all(servers.map((server) => readClients(server, "own"))))
        .flat()
        .filter((client) => client.connected).length;
    await until(async () => (await connected()) === 3);

    const { token } = await request<CreatedToken>(servers[0]!, "POST", "/api/tokens", {
      role: "customer",
      name: "ada",
    });
    const hands = await connect(servers.map(({ url }) => url).join(), { token, log: () => undefined });
    onTestFinished(() => hands.close());
    const outcomes: { seq: number; index: number; output: unknown }[] = [];
    let isReplaced = false;
    let count = 0;
    /** Inputs until all servers are replaced, a few more than clients compute. */
    const inputs = async function* (): AsyncGenerator<number> {
      for (;;) {
        await until(() => isReplaced || count - outcomes.length < 60);
        if (isReplaced) return;
        yield count++;
      }
    };
    const job = hands.map(
      async (x: number) => {
        await new Promise((resolve) => setTimeout(resolve, 60));
        return x * x;
      },
      inputs(),
      { math: "native" },
    );
    const reading = (async () => {
      for await (const { seq, index, output } of job) outcomes.push({ seq, index, output });
    })();
    const goesOn = async (): Promise<void> => {
      const before = outcomes.length;
      await until(() => outcomes.length > before + 20);
    };
    await goesOn();
    for (const [at, place] of places.entries()) {
      expect(await servers[at]!.terminate()).toBe(0);
      await goesOn();
      servers[at] = await start(place);
      await goesOn();
    }
    isReplaced = true;
    await reading;
    const all = Array.from({ length: count }, (_, x) => x);
    expect(outcomes.map(({ seq }) => seq)).toEqual(all.map((x) => x + 1));
    expect(outcomes.toSorted((a, b) => a.index - b.index).map(({ output }) => output)).toEqual(
      all.map((x) => x * x),
    );
    const [{ id } = { id: "" }] = await request<{ id: string }[]>(servers[1]!, "GET", "/api/jobs");
    expect((await readJob(servers[2]!, id)).counts).toMatchObject({ done: count, failed: 0 });
    await until(async () => (await connected()) === 3);
  }, 240_000);

  test("[UPGRADE-4] [PG-2] a server whose database a newer version migrates says so and ends, and what its client finished is kept", async () => {
    const schema = await postgres.makeSchema();
    const store = postgres.url(schema);
    const [data, port] = [await temporaryDirectory(), await freePort()];
    const flags = ["--port", String(port), "--store", store];
    const server = await startServerProcess(data, flags);
    const client = await startClientProcess(server);
    const id = await submitJob(server, "export default (x) => x * x", [1, 2, 3], { open: true });
    await until(async () => (await readJob(server, id)).counts.done === 3);
    const connection = await Connection.open({ url: store, settings: {} });
    onTestFinished(() => connection.close());
    await migrate(connection, ["ALTER TABLE jobs ADD COLUMN later INTEGER"]);
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain(
      `schema version ${schemaVersion + 1}, made by a newer Manyhands; this one knows versions up to ${schemaVersion}.`,
    );
    const again = run(["server", "--data", data, ...flags]);
    expect(await again.ended).toBe(2);
    expect(again.log()).toContain("Start the newer Manyhands");

    // As the newer version would, a server that knows the schema goes on.
    await connection.script(
      `ALTER TABLE jobs DROP COLUMN later; UPDATE manyhands SET version = ${schemaVersion}`,
    );
    const newer = await startServerProcess(data, flags);
    await request(newer, "POST", `/api/jobs/${id}/tasks?close=1`, [{ input: 4 }]);
    await until(async () => (await readJob(newer, id)).state === "finished");
    expect((await readResults(newer, id)).map((line) => line.state === "done" && line.output)).toEqual([
      1, 4, 9, 16,
    ]);
    expect(client.process.exitCode).toBeNull();
  });
});
