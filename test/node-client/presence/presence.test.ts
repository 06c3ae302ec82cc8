import { spawnSync } from "node:child_process";
import { describe, expect, it, onTestFinished } from "vitest";
import { Presence } from "../../../node-client/presence/presence.ts";
import { lookAround } from "../../../node-client/presence/sighting.ts";
import type { Sighting } from "../../../node-client/presence/idle.ts";
import { runClient } from "../../../node-client/run-client.ts";
import { readClients, slowInputs, slowSquareSource, submitJob } from "../../support/jobs.ts";
import {
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
} from "../../support/processes.ts";
import { startTestServer } from "../../support/server.ts";
import { isLinux, unlessLinux } from "../../support/skipped.ts";

const nobody: Sighting = { load: 0, inputIdleMs: undefined };
const person: Sighting = { load: 0, inputIdleMs: 1000 };

describe("--idle-only", () => {
  it("computes nothing before it has looked, pauses when a person comes, and goes on when they left", async () => {
    const asked: string[] = [];
    let seen = person;
    const presence = start(asked, async () => seen);
    expect(asked).toEqual(["pause"]);
    await presence.look();
    seen = nobody;
    await presence.look();
    expect(asked).toEqual(["pause", "resume", "Going on: nobody uses it."]);
    await presence.look();
    seen = person;
    await presence.look();
    expect(asked.slice(3)).toEqual(["pause", "Pausing: somebody used it 1 s ago."]);
  });

  it("asks nothing more of a client that has ended meanwhile", async () => {
    const asked: string[] = [];
    const look = Promise.withResolvers<Sighting>();
    const presence = start(asked, () => look.promise);
    presence.end();
    const looked = presence.look();
    look.resolve(nobody);
    await looked;
    expect(asked).toEqual(["pause"]);
  });

  it.skipIf(!isLinux)(`sees the load of this machine, and when somebody typed${unlessLinux}`, async () => {
    const { load, inputIdleMs } = await lookAround();
    expect(load).toBeGreaterThanOrEqual(0);
    expect(inputIdleMs ?? 0).toBeGreaterThanOrEqual(0);
  });
});

describe("--until", () => {
  it("drains and ends with 0 when the time has come", async () => {
    const server = await startTestServer();
    const code = await runClient({
      server: server.url,
      token: server.token,
      cacheDirectory: await temporaryDirectory(),
      slots: 1,
      logLevel: "silent",
      until: new Date(Date.now() + 300),
    });
    expect(code).toBe(0);
    expect((await readClients(server))[0]?.connected ?? false).toBe(false);
  });
});

describe.skipIf(!isLinux)(`--nice and --max-memory${unlessLinux}`, () => {
  it("are what kernels run with, and what the server is told", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    const flags = ["--nice", "13", "--max-memory", "1G", "--slots", "4"];
    const client = await startClientProcess(server, flags);
    await submitJob(server, slowSquareSource, slowInputs(1, 20_000));
    await until(() => {
      const list = ["-o", "ni=", "--ppid", String(client.process.pid)];
      return spawnSync("ps", list, { encoding: "utf8" }).stdout.includes("13");
    });
    expect((await readClients(server))[0]).toMatchObject({ slots: 1, memoryMb: 1024 - 192 });
  });
});

function start(asked: string[], look: () => Promise<Sighting>): Presence {
  const presence = new Presence(
    { idleOnly: true, until: undefined, goneMs: undefined },
    {
      client: {
        pause: () => void asked.push("pause"),
        resume: () => void asked.push("resume"),
        status: {
          connection: { state: "connected" },
          mode: "running",
          slots: [],
          queued: 0,
          unsent: 0,
          done: 0,
          failed: 0,
          busyMs: 0,
        },
      },
      log: (_level, message) => void asked.push(message),
      lookAround: look,
      onUntil: () => undefined,
      onGone: () => undefined,
    },
  );
  onTestFinished(() => presence.end());
  presence.begin();
  return presence;
}
