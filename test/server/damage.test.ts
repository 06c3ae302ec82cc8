import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { databaseName } from "../../server/store/sqlite/open.ts";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import { expectAllOnce, readJob, readResults, request, squares, submitJob } from "../support/jobs.ts";
import { startClientProcess, startServerProcess, temporaryDirectory, until } from "../support/processes.ts";

const square = "export default (x) => x * x;";

test("[ROT-1] [ROT-2] [ROT-3] a changed byte in the database fails the tasks of its pack, and the server says so", async () => {
  const data = await temporaryDirectory();
  let server = await startServerProcess(data);
  const job = await submitJob(server, square, [0, 1, 2], { open: true });
  const inputs = Array.from({ length: 47 }, (_, at) => ({ index: at + 3, input: at + 3 }));
  await request(server, "POST", `/api/jobs/${job}/tasks?close=1`, inputs);
  const other = await submitJob(server, square, [0, 1, 2, 3]);
  await server.terminate();
  const changeByte = (sql: string) => {
    const database = new DatabaseSync(join(data, databaseName));
    expect(database.prepare(sql).run().changes).toBe(1);
    database.close();
  };
  // The inputs 0, 1, 2 become 0, 1, 7: another value that the kernel would take.
  changeByte("UPDATE taskPacks SET inputs = x'000107' WHERE hex(inputs) = '000102'");

  server = await startServerProcess(data);
  const client = await startClientProcess(server);
  await until(async () => (await readJob(server, job)).state === "finished");
  await until(async () => (await readJob(server, other)).state === "finished");
  await expectAllOnce(server, other, squares(4));
  const { counts, failures } = await readJob(server, job);
  expect(counts).toMatchObject({ done: 47, failed: 3 });
  expect(failures.map(({ index, kind }) => [index, kind])).toEqual([0, 1, 2].map((index) => [index, "data"]));
  expect((await request<ServerStatus>(server, "GET", "/api/status")).damaged).toMatchObject({ records: 1 });
  expect(server.log()).toContain(`The stored inputs of tasks 0 to 2 of job ${job} are damaged`);
  await client.terminate();
  await server.terminate();

  // The outputs 0, 1, 4, 9 of the other job become 0, 1, 5, 9.
  changeByte(
    "UPDATE outcomePacks SET outputs = unhex(replace(hex(outputs), '04', '05')) WHERE job = 2 AND instr(hex(outputs), '04') > 0",
  );
  server = await startServerProcess(data);
  const read = await readResults(server, other);
  for (const line of read)
    if (line.state === "done") expect(line.output).toBe(squares(4)[line.index]);
    else expect(line).toMatchObject({ state: "failed", kind: "data" });
  expect(read.some(({ state }) => state === "failed")).toBe(true);
  expect(read).toHaveLength(4);
});
