import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { launcher, temporaryDirectory } from "../support/processes.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";

test.skipIf(!isLinux)(`[HEALTH-2] a server whose log is on a full disk works on${unlessLinux}`, async () => {
  const data = await temporaryDirectory();
  const args = [launcher, "server", "--json", "--port", "0", "--data", data, "--log-level", "debug"];
  const server = spawn(process.execPath, args, {
    env: { ...process.env, XDG_STATE_HOME: data },
    // The device answers every write as a full disk does.
    stdio: ["ignore", "pipe", openSync("/dev/full", "w")],
  });
  onTestFinished(() => void server.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
  const { url, tokenFile } = JSON.parse(line) as { url: string; tokenFile: string };
  const headers = { authorization: `Bearer ${(await readFile(tokenFile, "utf8")).trim()}` };
  // The log has every refusal.
  for (let count = 0; count < 5; count++)
    expect((await fetch(`${url}/api/jobs`, { method: "POST" })).status).toBe(401);
  expect((await fetch(`${url}/api/jobs`, { headers })).status).toBe(200);
  const ended = once(server, "exit");
  server.kill("SIGTERM");
  expect((await ended)[0]).toBe(0);
});
