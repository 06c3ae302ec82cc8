import { expect, test } from "vitest";
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

test("[AFTER-1] [DUR-1] stages wait and go on across kill -9 of the server, with nobody there who submitted them", async () => {
  const [data, port] = [await temporaryDirectory(), await keptPort()];
  let server = await startServerProcess(data, port);
  const restart = async () => {
    await server.kill();
    server = await startServerProcess(data, port);
  };
  // An open job does not finish before the test closes it.
  const close = (id: string): Promise<unknown> => request(server, "POST", `/api/jobs/${id}/close`);
  const first = await submitJob(server, slowSquareSource, slowInputs(12, 60), { open: true });
  const second = await submitJob(server, slowSquareSource, slowInputs(12, 60), {
    after: [first],
    open: true,
  });
  const third = await submitJob(server, slowSquareSource, slowInputs(3, 10), { after: [first, second] });
  await restart();
  expect((await readJob(server, third)).waitingFor).toEqual([first, second]);
  await startClientProcess(server, ["--slots", "2"]);
  await until(async () => (await readJob(server, first)).counts.done >= 4);
  expect((await readJob(server, second)).counts).toMatchObject({ queued: 12, running: 0 });
  await close(first);
  await restart();
  await until(async () => (await readJob(server, second)).counts.done >= 4);
  expect((await readJob(server, first)).state).toBe("finished");
  expect((await readJob(server, third)).waitingFor).toEqual([second]);
  await close(second);
  await restart();
  await until(async () => (await readJob(server, third)).state === "finished");
  await expectAllOnce(server, second, squares(12));
  await expectAllOnce(server, third, squares(3));
});

test("[AFTER-2] a stage blocked by a failed stage is blocked after kill -9, with the reason", async () => {
  const data = await temporaryDirectory();
  const server = await startServerProcess(data);
  const bad = "export default () => { throw new Error('bad stage'); };";
  const first = await submitJob(server, bad, [1], { maxAttempts: 1 });
  const second = await submitJob(server, bad, [1, 2], { after: [first] });
  await startClientProcess(server);
  await until(async () => (await readJob(server, second)).state === "blocked");
  await server.kill();
  const again = await startServerProcess(data);
  const job = await readJob(again, second);
  expect(job).toMatchObject({ state: "blocked", counts: { failed: 2 }, waitingFor: [] });
  expect(job.failures[0]?.message).toContain(first);
});
