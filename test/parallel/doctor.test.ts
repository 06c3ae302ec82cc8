import { createServer } from "node:http";
import { chmod, mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { checkDirectory, checkServer, type Finding } from "../../parallel/doctor/checks.ts";
import { run, startServerProcess, temporaryDirectory } from "../support/processes.ts";
import { skipped } from "../support/skipped.ts";

const isRoot = process.getuid?.() === 0;

async function doctor(...args: string[]): Promise<{ code: number | null; findings: Finding[] }> {
  const asked = run(["doctor", "--json", ...args]);
  const code = await asked.ended;
  const findings = asked
    .output()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
  return { code, findings };
}

it("[DOCTOR-1] a machine on which all is well, with its server", async () => {
  const directory = await temporaryDirectory();
  const server = await startServerProcess(join(directory, "server"));
  const where = [
    "--server",
    server.url,
    "--data",
    join(directory, "new"),
    "--cache-dir",
    join(directory, "cache"),
  ];
  const { code, findings } = await doctor(...where, "--port", String(server.port));
  expect(code).toBe(0);
  const text = findings.map(({ sentence }) => sentence).join("\n");
  expect(text).toContain(`Node ${process.version} runs clients and servers; a sandbox was ready`);
  expect(text).toContain(`The server at ${server.url}/ answers and is healthy.`);
  expect(text).toContain("The clocks of this machine and the server agree.");
  expect(findings).toContainEqual({
    state: "note",
    sentence: expect.stringContaining(`Port ${server.port} is in use`) as string,
  });
});

it("[DOCTOR-1] no server: exit status 1, with the address and what to do", async () => {
  const { code, findings } = await doctor("--server", "http://127.0.0.1:9");
  expect(code).toBe(1);
  expect(findings.filter(({ state }) => state === "bad")).toEqual([
    {
      state: "bad",
      sentence: expect.stringMatching(/^Nothing answers at http:\/\/127\.0\.0\.1:9\/ .*firewall/) as string,
    },
  ]);
});

it("[DOCTOR-1] a server that is ill, in another time", async () => {
  const server = createServer((_request, response) => {
    response.writeHead(503, { date: new Date(Date.now() + 3_600_000).toUTCString() }).end("the disk is full");
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  expect(await checkServer(`http://127.0.0.1:${port}/`)).toEqual([
    { state: "bad", sentence: expect.stringContaining("but says: the disk is full") as string },
    {
      state: "note",
      sentence: expect.stringMatching(/clock is (35\d\d|3600) s behind the server's/) as string,
    },
  ]);
});

it.skipIf(isRoot)(
  `[DOCTOR-1] a directory of another user${skipped(isRoot, "root may write to all directories")}`,
  async () => {
    const directory = join(await temporaryDirectory(), "closed");
    await mkdir(directory);
    await chmod(directory, 0o500);
    expect(checkDirectory("data directory", join(directory, "data"))).toMatchObject({ state: "bad" });
  },
);
