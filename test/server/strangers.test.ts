import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { claimClientDirectory } from "../../node-client/client-directory.ts";
import { readJob, readResults, submitJob } from "../support/jobs.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import type { FailureKind } from "../../shared/wire/protocol.ts";

/** A volunteer at an address that answers every task with a failure, as long as it is given tasks. */
async function liar(server: TestServer, kind: FailureKind, address: string): Promise<RawClient> {
  const client = new RawClient(server.url, { headers: { "x-forwarded-for": address } });
  await client.join();
  client.onMessage = (message) => {
    if (message.type !== "lease") return;
    const failure = { kind, message: "I say so" };
    const results = message.tasks.map(({ index, attempt }) => ({
      index,
      attempt,
      elapsedMs: 1,
      outcome: { state: "failed" as const, failure },
    }));
    client.send({ type: "results", job: message.job.id, results });
  };
  client.send({ type: "want", tasks: 16, slots: 16 });
  return client;
}

describe("[TRUST-3] strangers that answer with failures", () => {
  test.each<FailureKind>(["crash", "error", "unserialisable", "refused"])(
    "end no task: the auditor of the server computes what nobody else is left for: %s",
    async (kind) => {
      const server = await startTestServer({ trustProxy: true, auditors: 1 });
      const id = await submitJob(server, "export default (x) => x + 1", [0, 1, 2, 3, 4, 5, 6, 7]);
      await Promise.all(["10.1.1.1", "10.1.1.2", "10.2.2.2"].map((address) => liar(server, kind, address)));
      await until(async () => (await readJob(server, id)).state === "finished", 90_000);
      const results = await readResults(server, id);
      const outputs = new Set(results.map((line) => line.state === "done" && line.output));
      expect(outputs).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8]));
    },
  );
});

test("[TRUST-5] [SERVERS-1] the auditor confirms a kernel that is truly broken, and ends with its server, as it knows no other", async () => {
  const servers = (): string[] => ["http://second.lab.test:9990"];
  const server = await startTestServer({ trustProxy: true, auditors: 1, servers });
  const source = "export default () => { throw new Error('of its own'); }";
  const id = await submitJob(server, source, [1], { maxAttempts: 2, failFast: false });
  await liar(server, "error", "10.1.1.1");
  await until(async () => (await readJob(server, id)).state === "finished", 90_000);
  expect(await readResults(server, id)).toMatchObject([{ state: "failed", message: "of its own" }]);
  const clients = (await server.api("GET", "/api/clients")) as unknown as {
    name: string;
    trusted: boolean;
  }[];
  expect(clients).toContainEqual(expect.objectContaining({ name: "auditor", trusted: true }));
  await server.close();
  const directory = claimClientDirectory(join(server.dataDirectory, "auditor"), () => undefined);
  expect(directory.kept([`${server.url}/`])).toMatchObject({ servers: [`${server.url}/`], identity: {} });
  directory.close();
});
