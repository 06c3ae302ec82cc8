import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { ResultLine } from "../../shared/wire/rest/results.ts";
import { readJob, readResults, request, send, submitJob } from "../support/jobs.ts";
import {
  run,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type RunningServerProcess,
} from "../support/processes.ts";
import { sha256 } from "../support/rest.ts";
import { keyed, stored } from "./data-0.1.0/jobs.ts";

const fixture = join(import.meta.dirname, "data-0.1.0");

interface Upgraded extends RunningServerProcess {
  readonly data: string;
  /** Tokens that 0.1.0 made. */
  readonly tokens: { readonly admin: string; readonly client: string };
  readonly jobs: Readonly<Record<string, JobInfo>>;
}

/** Starts a server on a copy of the data directory of 0.1.0. */
async function startUpgraded(): Promise<Upgraded> {
  const data = join(await temporaryDirectory(), "data");
  await cp(join(fixture, "data"), data, { recursive: true });
  const text = await readFile(join(fixture, "tokens.json"), "utf8");
  const tokens = JSON.parse(text) as Upgraded["tokens"];
  const server = await startServerProcess(data);
  const list = await request<JobInfo[]>({ ...server, token: tokens.admin }, "GET", "/api/jobs");
  return { ...server, data, tokens, jobs: Object.fromEntries(list.map((job) => [job.name, job])) };
}

/** State and output, or the kind of failure, of each task that ended. */
async function outcomesOf(server: RunningServerProcess, id: string): Promise<Map<number, unknown>> {
  const lines = await readResults(server, id);
  const ofLine = (line: ResultLine): [number, unknown][] =>
    line.state === "end" ? [] : [[line.index, line.state === "done" ? line.output : line.kind]];
  return new Map(lines.flatMap(ofLine).toSorted(([a], [b]) => a - b));
}

const range = (count: number): number[] => Array.from({ length: count }, (_, x) => x);
const squared = (xs: readonly number[]): Map<number, unknown> => new Map(xs.map((x) => [x, x * x]));

test("[UPGRADE-1] a data directory of 0.1.0 is served: results, blobs and tokens are as they were, and its jobs go on", async () => {
  const server = await startUpgraded();
  const { done, blobs, cancelled, keyed: open, half } = server.jobs as Record<string, JobInfo>;

  expect(await outcomesOf(server, done!.id)).toEqual(squared(range(20)));
  expect(cancelled).toMatchObject({ state: "cancelled", counts: { total: 4, done: 0 } });
  expect(half).toMatchObject({ counts: { total: 12, done: 4, failed: 2, queued: 6 } });
  const before = await outcomesOf(server, half!.id);
  expect([...before]).toEqual([
    [0, 0],
    [1, 1],
    [2, expect.any(String)],
    [3, 9],
    [4, 16],
    [5, expect.any(String)],
  ]);

  const name = sha256(stored);
  const file = await send(server, "GET", `/api/blobs/${name}`);
  expect(Buffer.from(await file.arrayBuffer()).equals(Buffer.from(stored))).toBe(true);
  const [[, reference]] = [...(await outcomesOf(server, blobs!.id))] as [
    [number, { $ref: { sha256: string } }],
  ];
  const reversed = await send(server, "GET", `/api/blobs/${reference.$ref.sha256}`);
  expect(Buffer.from(await reversed.arrayBuffer()).equals(Buffer.from(stored).reverse())).toBe(true);

  // A program with the key of 0.1.0 goes on with its job.
  const again = await request<JobInfo>(server, "POST", "/api/jobs", keyed);
  expect(again).toMatchObject({ id: open!.id, counts: { total: 10, done: 10 } });
  const tasks = range(12).map((input) => ({ input, index: input }));
  expect(await request(server, "POST", `/api/jobs/${open!.id}/tasks?close=1`, tasks)).toMatchObject({
    added: 2,
    repeated: 10,
  });

  // A client with the token of 0.1.0 computes the queued tasks, and failed tasks are tried again.
  await startClientProcess({ url: server.url, token: server.tokens.client });
  const isFinished = (id: string): Promise<boolean> =>
    until(async () => (await readJob(server, id)).state === "finished");
  await isFinished(open!.id);
  expect(await outcomesOf(server, open!.id)).toEqual(squared(range(12)));
  await isFinished(half!.id);
  expect((await readJob(server, half!.id)).counts).toMatchObject({ done: 10, failed: 2 });
  await request(server, "POST", `/api/jobs/${half!.id}/requeue-failed`);
  await isFinished(half!.id);
  const after = await outcomesOf(server, half!.id);
  expect([...after.keys()]).toEqual(range(12));
  for (const x of range(12))
    expect(after.get(x)).toEqual(
      x % 3 === 2
        ? { $array: "Float16Array", base64: Buffer.from(new Float16Array([x / 2]).buffer).toString("base64") }
        : x * x,
    );
  const next = await submitJob(server, "export default (x) => x + 1", [1]);
  await isFinished(next);
  expect(await outcomesOf(server, next)).toEqual(new Map([[0, 2]]));
});

test("[UPGRADE-1] commands of upkeep take a data directory of 0.1.0 that was upgraded", async () => {
  const { data, url, port, tokens, terminate } = await startUpgraded();
  const env = { MANYHANDS_SERVER: url, MANYHANDS_TOKEN: tokens.admin };
  const backup = join(await temporaryDirectory(), "backup");
  const commands = [
    ["scrub", "--json"],
    ["backup", backup, "--json"],
    ["doctor", "--data", data],
  ];
  for (const command of commands) {
    const program = run(command, env);
    expect(await program.ended, program.log()).toBe(0);
  }
  expect(await terminate()).toBe(0);
  for (const command of [
    ["scrub", "--data", data],
    ["compact", "--data", data],
  ]) {
    const program = run(command);
    expect(await program.ended, program.log()).toBe(0);
  }
  const restored = join(await temporaryDirectory(), "restored");
  const restoring = run(["restore", backup, "--data", restored]);
  expect(await restoring.ended, restoring.log()).toBe(0);
  for (const directory of [data, restored]) {
    const server = await startServerProcess(directory, ["--port", String(port)]);
    const jobs = await request<JobInfo[]>({ ...server, token: tokens.admin }, "GET", "/api/jobs");
    expect(jobs).toHaveLength(5);
    expect(await server.terminate()).toBe(0);
  }
});
