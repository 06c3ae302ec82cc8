import { randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connect } from "../../customer/index.ts";
import type { CreatedToken } from "../../shared/wire/rest/tokens.ts";
import {
  expectAllOnce,
  readJob,
  request,
  slowInputs,
  slowSquareSource,
  squares,
  submitJob,
} from "../support/jobs.ts";
import {
  run,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
} from "../support/processes.ts";

test("[BACKUP-1] [BACKUP-3] [BACKUP-4] a server that is lost goes on from its backup, with the clients of the lost one", async () => {
  const root = await temporaryDirectory();
  const [data, backup, restored] = ["data", "backup", "restored"].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  let server = await startServerProcess(data);
  const env = () => ({ MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token });
  const job = await submitJob(server, slowSquareSource, slowInputs(120, 30));
  const { token } = await request<CreatedToken>(server, "POST", "/api/tokens", {
    role: "client",
    name: "nodes",
  });
  const client = await startClientProcess({ url: server.url, token }, ["--slots", "2"]);
  await until(async () => (await readJob(server, job)).counts.done >= 10);
  const made = run(["backup", backup, "--json"], env());
  expect(await made.ended, made.log()).toBe(0);
  expect(JSON.parse(made.output())).toMatchObject({ done: true, missing: [] });
  await until(async () => (await readJob(server, job)).counts.done >= 60);
  const results = await readJob(server, job);
  await server.kill();

  const restoring = run(["restore", backup, "--data", restored]);
  expect(await restoring.ended, restoring.log()).toBe(0);
  server = await startServerProcess(restored, ["--port", String(server.port)]);
  const { counts, lastSeq } = await readJob(server, job);
  expect(counts.done).toBeLessThan(results.counts.done);
  // A reader of the lost server would miss results of the restored server.
  const late = await fetch(`${server.url}/api/jobs/${job}/results?after=${lastSeq + 1000}`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
  expect(late.status).toBe(409);
  await until(async () => (await readJob(server, job)).state === "finished");
  await expectAllOnce(server, job, squares(120));
  await client.terminate();
});

test("[ROT-7] manyhands scrub finds what is damaged, with a server and without", async () => {
  const data = await temporaryDirectory();
  let server = await startServerProcess(data);
  const hands = await connect(server.url, { token: server.token });
  const references = [await hands.put(randomBytes(3000)), await hands.put(randomBytes(3000))];
  hands.close();
  await submitJob(server, slowSquareSource, slowInputs(10, 1));
  const scrub = async (...flags: string[]) => {
    const env = { MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token };
    const running = run(["scrub", "--json", ...flags], env);
    const code = await running.ended;
    return { code, found: JSON.parse(running.output()) as object };
  };
  expect(await scrub()).toMatchObject({
    code: 0,
    found: { done: true, blobs: 2, bytes: 6000, records: 2, damagedRecords: 0, damagedBlobs: [] },
  });
  const [first = "", second = ""] = references.map(({ sha256 }): string => sha256);
  const place = (sha256: string) => join(data, "blobs", sha256.slice(0, 2), sha256);
  await writeFile(place(first), randomBytes(3000));
  expect(await scrub()).toMatchObject({ code: 1, found: { blobs: 2, damagedBlobs: [first] } });
  expect((await request<{ damaged: object }>(server, "GET", "/api/status")).damaged).toMatchObject({
    blobs: 1,
  });
  const refused = run(["scrub", "--data", data]);
  expect(await refused.ended).not.toBe(0);
  expect(refused.log()).toContain("using the data directory");
  await server.terminate();
  await writeFile(place(second), randomBytes(3000));
  expect(await scrub("--data", data)).toMatchObject({ code: 1, found: { blobs: 1 } });
  expect((await readdir(join(data, "blobs", "damaged"))).toSorted()).toEqual([first, second].toSorted());
  server = await startServerProcess(data);
  expect((await request<{ damaged: object }>(server, "GET", "/api/status")).damaged).toMatchObject({
    blobs: 2,
  });
});
