import { describe, expect, it } from "vitest";
import { readClients, readJob, request, slowInputs, slowSquareSource, submitJob } from "../support/jobs.ts";
import {
  keptPort,
  run,
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
} from "../support/processes.ts";
import { readRuns, spanOf, timedSource } from "../support/runs.ts";
import { childrenOf, isAlive } from "../support/process-tree.ts";

describe("manyhands client", () => {
  it("computes with every slot under its own name, and logs JSON lines where there is no terminal", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const client = await startClientProcess(server, [
      "--slots",
      "2",
      "--name",
      "node 7",
      "--memory-mb",
      "300",
    ]);
    const id = await submitJob(server, slowSquareSource, slowInputs(4, 100));
    await until(async () => (await readJob(server, id)).state === "finished");
    const [info] = await readClients(server);
    expect(info).toMatchObject({ name: "node 7", slots: 2, memoryMb: 300, kind: "node", trusted: true });
    const lines = client.log().trim().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toContain(
      `Connected to ${server.url}.`,
    );
  });

  it("[VOLUNTEER-3] computes a share of the time with --cpu, from the first task on", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const client = await startClientProcess(server, ["--cpu", "25"]);
    const id = await submitJob(server, timedSource, [300, 300, 300], { math: "native" });
    await until(async () => (await readJob(server, id)).state === "finished");
    // Two rests of three times what their tasks took.
    expect(spanOf(await readRuns(server, id))).toBeGreaterThan(2 * 4 * 295);
    expect(client.log()).toContain("with 1 slot, each at most 25 % of the time.");
  });

  it("exits 2 with the remedy when the server refuses it for good", async () => {
    const server = await startServerProcess(await temporaryDirectory(), ["--volunteers", "off"]);
    const client = await startClientProcess({ url: server.url, token: "mh_nobody_knows_this_token" });
    expect(await client.ended).toBe(2);
    expect(client.log()).toMatch(/refuses this client.*--token/);
  });

  it.each([
    [["--slots", "0"], /whole number from 1/],
    [["--cpu", "0"], /whole number from 1 to 100/],
    [["--server", "ftp://x/"], /server address/],
    [["--cache-quota-gb", "-1"], /above 0/],
    [["--log-level", "loud"], /Allowed choices/],
  ])("exits 2 and says what it expected: %s", async (flags, message) => {
    const client = run(["client", "--cache-dir", await temporaryDirectory(), ...flags]);
    expect(await client.ended).toBe(2);
    expect(client.log()).toMatch(message);
  });

  it("waits for a server that is not there, and joins it when it comes", async () => {
    const [data, port] = [await temporaryDirectory(), await keptPort()];
    const first = await startServerProcess(data, port);
    await first.kill();
    const client = await startClientProcess(first);
    await until(() => /Not connected/.test(client.log()));
    const again = await startServerProcess(data, port);
    await until(async () => (await readClients(again)).some(({ connected }) => connected));
  });

  it("[CLIENTS-3] finishes what runs and ends with 75 when it is asked to reload; a signal meanwhile ends it as ever", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const client = await startClientProcess(server, ["--slots", "1", "--drain-seconds", "1"]);
    // Longer than a signal lets tasks run.
    const id = await submitJob(server, slowSquareSource, slowInputs(3, 6_000), { timeoutMs: 60_000 });
    const reload = async (): Promise<void> => {
      await until(async () => (await readJob(server, id)).counts.running > 0);
      const found = (await readClients(server)).find(({ connected }) => connected);
      await request(server, "POST", "/api/clients", { verb: "reload", clients: [found!.id] });
    };
    await reload();
    expect(await client.ended).toBe(75);
    expect(client.log()).toMatch(/asks this client to be started again \(exit status 75\)/);
    expect((await readJob(server, id)).counts).toMatchObject({ done: 1, running: 0 });
    const next = await startClientProcess(server, ["--slots", "1", "--drain-seconds", "1"]);
    await reload();
    await until(() => /started again/.test(next.log()));
    next.process.kill("SIGTERM");
    expect(await next.ended).toBe(0);
  });

  it("ends at once on a second signal, and takes a hanging kernel with it", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const client = await startClientProcess(server);
    const id = await submitJob(server, "export default () => { for (;;); }", [null]);
    await until(async () => (await readJob(server, id)).counts.running === 1);
    const [sandbox] = await until(() => {
      const found = childrenOf(client.process.pid!);
      return found.length > 0 ? found : undefined;
    });
    client.process.kill("SIGINT");
    await until(() => /once more/.test(client.log()));
    client.process.kill("SIGINT");
    expect(await client.ended).toBe(130);
    await until(() => !isAlive(sandbox!));
    await until(async () => (await readJob(server, id)).counts.queued === 1);
  });

  it("[CANCEL] a cancelled task's process is gone within a second, however busy", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const client = await startClientProcess(server);
    const id = await submitJob(server, "export default (_, ctx) => { ctx.log('on'); for (;;); }", [null]);
    await until(async () => (await readClients(server))[0]?.current.length === 1);
    const [sandbox] = await until(() => {
      const found = childrenOf(client.process.pid!);
      return found.length > 0 ? found : undefined;
    });
    const at = performance.now();
    await request(server, "POST", `/api/jobs/${id}/cancel`);
    await until(() => !isAlive(sandbox!));
    // A kernel that was asked instead of ended would run for its hour.
    expect(performance.now() - at).toBeLessThan(10_000);
  });
});
