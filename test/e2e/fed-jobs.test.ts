import { expect, test } from "vitest";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
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
  keptPort,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
} from "../support/processes.ts";

const plus = "export default (x) => x + 1;";

test("[FEED-1] [DUR-1] every output is an input once, across kill -9 of the server and with nobody there who submitted", async () => {
  const [data, port] = [await temporaryDirectory(), await keptPort()];
  let server = await startServerProcess(data, port);
  const restart = async () => {
    await server.kill();
    server = await startServerProcess(data, port);
  };
  const fedBy = async (inputsFrom: string, priority: number) => {
    const job = { kernel: { source: plus }, inputsFrom, priority };
    return (await request<JobInfo>(server, "POST", "/api/jobs", job)).id;
  };
  const first = await submitJob(server, slowSquareSource, slowInputs(150, 60));
  const second = await fedBy(first, 1);
  await startClientProcess(server, ["--slots", "2"]);
  await until(async () => (await readJob(server, second)).counts.done >= 3);
  await restart();
  const third = await fedBy(second, 2);
  await until(async () => (await readJob(server, third)).counts.done >= 6);
  expect(await readJob(server, first)).toMatchObject({ state: "closed" });
  await restart();
  await until(async () => (await readJob(server, third)).state === "finished");
  await expectAllOnce(
    server,
    second,
    squares(150).map((x) => x + 1),
  );
  await expectAllOnce(
    server,
    third,
    squares(150).map((x) => x + 2),
  );
});
